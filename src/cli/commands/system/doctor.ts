import { EngineError } from '../../../errors/engine-error.ts';
import type { DoctorReport } from '../../../wire/doctor.ts';
import { ExitError } from '../../cli-error.ts';
import type { Command } from '../../command.ts';
import type { Invocation } from '../../context.ts';
import { execDaemon } from '../../exec-daemon.ts';
import type { Flag } from '../../flags/flag.ts';
import { doctorText } from '../../output/doctor-text.ts';

const JSON_FLAG: Flag = { name: 'json', kind: 'bool', usage: 'Print the report as JSON' };
const FAILED = 1;
const PING_MS = 5000;
const UNIX = 'unix://';
/** Nobody listens, nobody answers, or not to us: all of which the report itself tells. */
const UNREACHABLE = /Cannot connect to the Docker daemon|permission denied|did not answer/;

export const command: Command = {
  usage: '[OPTIONS]',
  long: `Looks at the daemon, the kernel, cgroups, storage, firewalls, limits, disk space, registries and the clock, and says what each costs and what betters it. Where no
daemon answers on this machine it looks without one. Its status is 1 when something doesn't work.`,
  flags: [JSON_FLAG, { name: 'local', kind: 'bool', usage: 'Look at this machine, without asking a daemon' }],
  args: { min: 0, max: 0 },
  examples: ['doctor', 'doctor --json', '--context build-server doctor'],
  run,
};

async function run(invocation: Invocation): Promise<number> {
  const { context, flags } = invocation;
  if (flags.bool('local')) return lookHere(invocation, undefined);
  const report = await ask(invocation);
  const color = context.stdout.isTerminal;
  await context.stdout.write(
    flags.bool('json') ? `${JSON.stringify(report, undefined, 2)}\n` : doctorText(report, { color }),
  );
  return report.State === 'failure' ? FAILED : 0;
}

/** Does not return where no daemon answers on this machine. @throws what a daemon elsewhere, or another's, is to blame for. */
async function ask(invocation: Invocation): Promise<DoctorReport> {
  const { client, context } = invocation;
  const { endpoint } = context;
  try {
    await answered(client.connection.ping(), endpoint);
    return await client.system.doctor();
  } catch (error) {
    if (!endpoint.startsWith(UNIX) || !(error instanceof EngineError) || !UNREACHABLE.test(error.message))
      throw error;
    return lookHere(invocation, endpoint.slice(UNIX.length));
  }
}

async function answered(ping: Promise<unknown>, endpoint: string): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () =>
      late.reject(new ExitError(1, `the daemon at ${endpoint} did not answer within ${PING_MS / 1000} s`)),
    PING_MS,
  );
  await Promise.race([ping, late.promise]).finally(() => clearTimeout(timer));
}

function lookHere({ flags }: Invocation, socket: string | undefined): never {
  const words = socket === undefined ? ['doctor'] : ['doctor', `--socket=${socket}`];
  return execDaemon(words, { flags, known: [JSON_FLAG], args: [] });
}
