import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Ids } from '../sys/id-map.ts';
import type { SpecProcess } from './runtime-spec.ts';
import { raisedLimits } from './spec/limits.ts';

const PREPARATION = 'prepare.sh';

/**
 * The pipes of the streams become the container's root's: whoever the process is may open them anew (`/dev/stdout`), and the runtime can hand
 * them on to another user in there. Nothing but a pipe, for /dev/null is the host's. Then what `prepareCall` has left, and the runtime takes our place.
 */
const SCRIPT = `root=$1 preparation=$2
shift 2
for fd in 0 1 2; do
  if [ -p /proc/self/fd/$fd ]; then chown "$root" /proc/self/fd/$fd; fi
done
. "$preparation"
exec "$@"`;

/**
 * How a monitor is to call the OCI runtime for a container whose root is not the host's: what takes the host's power is done before the call, since
 * crun does much of its work in the user namespace (runc does it before). `directory`: of the task or exec.
 *
 * @returns the program, and arguments that come before the runtime's own.
 */
export function callForRoot(
  runtime: string,
  { root, directory }: { root: Ids; directory: string },
): [program: string, ...words: string[]] {
  const owner = `${root.uid}:${root.gid}`;
  return ['/bin/sh', '-c', SCRIPT, 'sh', owner, join(directory, PREPARATION), runtime];
}

/** What a process within may no longer set: a lower OOM score (its permitted minimum is inherited, proc(5)), and higher limits. */
export function prepareCall(directory: string, process: Pick<SpecProcess, 'oomScoreAdj' | 'rlimits'>): void {
  const raised = raisedLimits(process.rlimits ?? [], readFileSync('/proc/self/limits', 'utf8'));
  const lines = [
    ...(process.oomScoreAdj === undefined
      ? []
      : [`echo ${process.oomScoreAdj} > /proc/self/oom_score_adj || :`]),
    ...raised.map(({ name, hard }) => `prlimit --pid $$ --${name}=:${BigInt(hard)}`),
  ];
  writeFileSync(join(directory, PREPARATION), lines.map((line) => `${line}\n`).join(''), { mode: 0o600 });
}
