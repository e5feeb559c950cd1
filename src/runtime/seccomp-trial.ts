import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../errors/engine-error.ts';
import { run, spawnDetached } from '../sys/spawn.ts';
import type { OciBinary } from './oci-binary.ts';
import { PROBE_TIMEOUT_MS, type ProbeBundle, type ProbePlace, withProbeBundle } from './probe-bundle.ts';
import { SECCOMP_MODE_FILTER } from './probe-program.ts';
import { type CompiledSeccomp, keyOf, SECCOMP_FILE, withFilter } from './seccomp-cache.ts';

/**
 * Have the runtime compile the default profile, then run a container with nothing but the result, and look whether it is filtered.
 *
 * @returns undefined when this runtime knows no such thing.
 * @throws EngineError when a container cannot be made.
 */
export async function trySeccompFilter(
  binary: OciBinary,
  place: ProbePlace,
): Promise<CompiledSeccomp | undefined> {
  if (binary.name !== 'crun') return undefined;
  return await withProbeBundle(binary, place, async (bundle) => {
    const key = keyOf(bundle.spec);
    if (key === undefined) return undefined;
    const filter = await compile(binary, bundle);
    bundle.write(withFilter(bundle.spec, filter));
    const root = `--root=${bundle.stateDirectory}`;
    const command = [binary.path, root, 'run', '--bundle', bundle.directory, bundle.id];
    const { exitCode } = await run(command, { timeoutMs: PROBE_TIMEOUT_MS });
    return exitCode === SECCOMP_MODE_FILTER ? { key, filter } : undefined;
  });
}

/** Make a container and let it go again: what was compiled for it lies in its state. */
async function compile(binary: OciBinary, bundle: ProbeBundle): Promise<Buffer> {
  const { id, directory } = bundle;
  const command = [binary.path, `--root=${bundle.stateDirectory}`];
  // Its init holds whatever output it is given, so it gets none.
  const child = spawnDetached([...command, 'create', '--bundle', directory, id], {
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  const exitCode = await child.exited;
  if (exitCode !== 0) throw new EngineError('unavailable', `the probe was not created: ${exitCode}`);
  const filter = readFileSync(join(bundle.stateDirectory, id, SECCOMP_FILE));
  await run([...command, 'delete', '--force', id], { timeoutMs: PROBE_TIMEOUT_MS });
  if (filter.length === 0) throw new EngineError('unavailable', 'the runtime keeps no filter');
  return filter;
}
