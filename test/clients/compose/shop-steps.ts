import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type CommandResult, must, run } from '../../support/engine/command.ts';
import { stockDocker } from '../../support/engine/stock-docker.ts';

export type ComposeVersion = 'v1' | 'v2';

export interface ComposeClient {
  version: ComposeVersion;
  /** What comes before compose's own arguments. */
  command: readonly string[];
  env: Record<string, string>;
  /** The project's. */
  folder: string;
}

/** What a step printed, without what differs from one run to the next. */
export interface StepOutcome {
  step: string;
  code: number;
  /** Each line once, and sorted: compose works on services side by side and draws its progress over and over. */
  stdout: string[];
  stderr: string[];
}

/** `port`: the front is asked by the port that it publishes. `settle`: until so many containers are as they shall be. */
type Step =
  | { of: 'compose' | 'docker'; args: readonly string[] }
  | { of: 'port' }
  | { of: 'settle'; containers: number };

const PROJECT = 'label=com.docker.compose.project=shop';
const RECORDED = resolve(import.meta.dir, 'shop-recorded.json');

/** One life of the application, from `up` to `down -v`. */
function stepsOf(version: ComposeVersion): Step[] {
  const compose = (...args: string[]): Step => ({ of: 'compose', args });
  const docker = (...args: string[]): Step => ({ of: 'docker', args });
  const settle = (containers: number): Step => ({ of: 'settle', containers });
  const names = docker(
    'ps',
    '-a',
    '--filter',
    PROJECT,
    '--format',
    '{{.Names}} {{.Image}} {{.State}} {{.Networks}}',
  );
  const ps =
    version === 'v1' ? compose('ps') : compose('ps', '--format', '{{.Service}} {{.State}} {{.Health}}');
  return [
    compose('config', '-q'),
    compose('up', '-d'),
    settle(3),
    ps,
    names,
    compose('logs', version === 'v1' ? '--no-color' : '--no-log-prefix'),
    { of: 'port' },
    compose('exec', '-T', 'buyer', 'wget', '-qO-', 'http://front/'),
    compose('exec', '-T', 'front', 'wget', '-qO-', 'http://store/'),
    compose('exec', '-T', 'buyer', 'sh', '-c', 'nslookup store >/dev/null || echo unknown'),
    compose('exec', '-T', 'store', 'cat', '/data/index.html'),
    compose('exec', '-T', 'store', 'sh', '-c', 'echo out; echo err >&2; exit 7'),
    compose('up', '-d', '--scale', 'front=3', '--no-recreate'),
    settle(5),
    compose('exec', '-T', 'buyer', 'sh', '-c', 'nslookup -type=a front | tail -n +4 | grep -c ^Address'),
    names,
    compose('restart', '-t', '3'),
    settle(5),
    compose('exec', '-T', 'store', 'cat', '/data/index.html'),
    compose('up', '-d', '--scale', 'front=1'),
    settle(3),
    compose('stop', '-t', '3', 'buyer'),
    docker('ps', '-a', '--filter', PROJECT, '--filter', 'status=exited', '--format', '{{.Names}}'),
    compose('start', 'buyer'),
    compose('up', '-d'),
    compose('down', '-v', '-t', '3'),
    docker('ps', '-aq', '--filter', PROJECT),
    docker('network', 'ls', '-q', '--filter', PROJECT),
    docker('volume', 'ls', '-q', '--filter', PROJECT),
  ];
}

/** Bring the application up and down again. @returns what each step printed. */
export async function playShop(client: ComposeClient): Promise<StepOutcome[]> {
  const outcomes: StepOutcome[] = [];
  for (const step of stepsOf(client.version)) {
    if (step.of === 'settle') await settle(client, step.containers);
    else if (step.of === 'port') outcomes.push(await askFront(client));
    else {
      const outcome = await play(client, step);
      outcomes.push(outcome);
      if (outcome.code === 0 || step.args[0] !== 'up') continue;
      throw new Error(`${outcome.step} ended with ${outcome.code}:\n${outcome.stderr.join('\n')}`);
    }
  }
  return outcomes;
}

/** What Docker's own daemon lets this version print. */
export function recordedShop(version: ComposeVersion): StepOutcome[] {
  return (JSON.parse(readFileSync(RECORDED, 'utf8')) as Record<ComposeVersion, StepOutcome[]>)[version];
}

async function play(
  client: ComposeClient,
  step: { of: string; args: readonly string[] },
): Promise<StepOutcome> {
  const { env, folder: cwd, command } = client;
  const before = step.of === 'docker' ? [stockDocker()] : command;
  const result = await run([...before, ...step.args], { env, cwd, timeoutMs: 120_000 });
  return { step: [step.of, ...step.args].join(' '), ...told(result) };
}

async function askFront({ command, env, folder: cwd }: ComposeClient): Promise<StepOutcome> {
  const address = (await must([...command, 'port', 'front', '80'], { env, cwd })).trim();
  const response = await fetch(`http://${address}/`);
  return { step: 'GET front', code: response.status, stdout: [await response.text()], stderr: [] };
}

/** Those with a health check are healthy, and the buyer has bought since it was started. */
async function settle({ env }: ComposeClient, containers: number): Promise<void> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const format = '{{.Names}} {{.Status}}';
    const listed = await must([stockDocker(), 'ps', '--filter', PROJECT, '--format', format], { env });
    const ready = listed.split('\n').filter((line) => line.includes('(healthy)') || /buyer.* Up/.test(line));
    if (ready.length === containers) return;
    if (performance.now() > deadline) throw new Error(`The services do not settle:\n${listed}`);
    await Bun.sleep(100);
  }
}

function told({ stdout, stderr, code }: CommandResult): Omit<StepOutcome, 'step'> {
  return { code, stdout: linesOf(stdout), stderr: linesOf(stderr) };
}

function linesOf(text: string): string[] {
  const lines = text
    .split(/[\r\n]+/)
    .map((line) => line.trim().replaceAll(/\s+/g, ' '))
    // Ports of the kernel's choice, and addresses of the pools.
    .map((line) => line.replaceAll(/127\.0\.0\.1:\d+->/g, '127.0.0.1:PORT->'))
    // Networks of a container, in no order.
    .map((line) =>
      line.replaceAll(/\bshop_\w+(?:,shop_\w+)+/g, (list) => list.split(',').toSorted().join(',')),
    )
    .filter((line) => line !== '' && !/^-+$/.test(line));
  return [...new Set(lines)].toSorted();
}
