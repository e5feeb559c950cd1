import type { Flag } from '../../cli/flags/flag.ts';
import { parseFlags } from '../../cli/flags/flag-set.ts';
import { flagUsages } from '../../cli/flags/flag-usages.ts';
import { doctorText } from '../../cli/output/doctor-text.ts';
import { execute } from '../../sys/execute.ts';
import { daemonFlags } from '../daemon-settings.ts';
import { diagnose } from './diagnose.ts';
import { localSubject } from './local-subject.ts';

const OWN_FLAGS: readonly Flag[] = [
  { name: 'json', kind: 'bool', usage: 'Print the report as JSON' },
  { name: 'socket', kind: 'string', usage: 'Socket at which a client got no answer' },
];
/** Says that this process has entered its own mount namespace. */
const INSIDE = 'SAMPAN_DOCTOR_INSIDE';
const FAILED = 1;

/**
 * `sampand doctor [OPTIONS] [the daemon's own flags]`: the machine without a daemon. Mounts are tried in a namespace that goes with this process.
 *
 * @returns the exit status.
 */
export async function runDoctor(args: readonly string[]): Promise<number> {
  const flags = parseFlags([...OWN_FLAGS, ...daemonFlags], args, { interspersed: true });
  if (flags.bool('help')) {
    process.stdout.write(`\nUsage:  sampand doctor [OPTIONS]\n\nOptions:\n${flagUsages(OWN_FLAGS, 100)}`);
    return 0;
  }
  const isRoot = process.geteuid?.() === 0;
  if (isRoot && process.env[INSIDE] === undefined) enterOwnMounts(args);
  const own = OWN_FLAGS.map(({ name }) => `--${name}`);
  const daemons = withoutOwn(args, own);
  const subject = localSubject(daemons, flags.changed('socket') ? flags.string('socket') : undefined);
  const report = await diagnose(subject, AbortSignal.timeout(60_000));
  const color = process.stdout.isTTY === true;
  process.stdout.write(
    flags.bool('json') ? `${JSON.stringify(report, undefined, 2)}\n` : doctorText(report, { color }),
  );
  return report.State === 'failure' ? FAILED : 0;
}

/** `--json`, `--socket=path` and `--socket path` are ours, the rest is the daemon's. */
function withoutOwn(args: readonly string[], own: readonly string[]): string[] {
  return args.filter((arg, at) => {
    const name = arg.split('=', 1)[0] ?? '';
    const isValue = args[at - 1] === '--socket';
    return !own.includes(name) && !isValue;
  });
}

function enterOwnMounts(args: readonly string[]): never {
  const unshare = Bun.which('unshare') ?? '/usr/bin/unshare';
  const command = [process.execPath, ...process.execArgv, process.argv[1] ?? '', 'doctor', ...args];
  execute([unshare, '--mount', '--propagation', 'private', '--', ...command], {
    ...process.env,
    [INSIDE]: '1',
  });
}
