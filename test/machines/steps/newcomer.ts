import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { putCheckout } from '../checkout.ts';
import { CHECKOUT, type StepContext, type StepOutcome } from '../step.ts';

const HOUR_MS = 3_600_000;

/** README's first command on a machine that has seen nothing of it, as it is typed, and the first container. */
export async function newcomer(context: StepContext): Promise<StepOutcome> {
  await putCheckout(context);
  const problems = await typeAll(context, [
    ['npm start', /Hello from/],
    ['npm start', /runs already/],
    ['bin/sampan run --rm busybox echo hi', /^hi$/m],
  ]);
  return { cells: { '`npm start`, and again': problems.length === 0 ? 'works' : 'fails' }, problems };
}

async function typeAll(
  { guest, say, log }: StepContext,
  typed: readonly (readonly [command: string, expected: RegExp])[],
): Promise<string[]> {
  const problems: string[] = [];
  for (const [command, expected] of typed) {
    say(command);
    const { code, output } = await guest.run(`cd ${CHECKOUT} && ${command}`, {
      terminal: true,
      limitMs: HOUR_MS,
      log,
    });
    if (code !== 0 || !expected.test(output)) problems.push(`${command} ended with ${code}: ${tail(output)}`);
  }
  return problems;
}

/** README's "Taking it away", on the way to a disk that other runs begin with: everything installed, and no engine. */
export async function takeAway(context: StepContext): Promise<string[]> {
  const { guest, log, say } = context;
  const text = readFileSync(join(context.root, 'README.md'), 'utf8');
  const commands = /## Taking it away[^]*?```sh\n([^]*?)```/
    .exec(text)?.[1]
    ?.split('\n')
    .filter((line) => line !== '' && !line.includes('systemd.mjs'));
  if (commands === undefined) return ['README does not say how to take it away'];
  say("README's way of taking it away");
  const script = [
    `cd ${CHECKOUT}`,
    'set -ex',
    ...commands.map((line) => line.replaceAll('sudo ', '')),
    LEFT,
  ].join('\n');
  const { code, output } = await guest.run('bash -s', { stdin: new Blob([script]), log });
  return code === 0 ? [] : [`Taking it away ended with ${code}: ${tail(output)}`];
}

const LEFT = `
left=$(grep sampan /proc/mounts; nft list tables | grep sampan; ip -o link | grep sampan; find /sys/fs/cgroup -name '*sampan*'; pgrep -a conmon) || true
[ -z "$left" ] || { echo "left: $left"; exit 1; }`;

export const tail = (output: string): string => output.trim().split('\n').slice(-12).join('\n');
