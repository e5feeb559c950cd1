import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../../errors/engine-error.ts';
import { run, spawnDetached } from '../../sys/spawn.ts';
import type { OciBinary } from './oci-binary.ts';
import { PROBE_TIMEOUT_MS, type ProbeBundle, type ProbePlace, withProbeBundle } from './probe-bundle.ts';
import { SECCOMP_MODE_FILTER } from './probe-program.ts';
import { type CompiledSeccomp, keyOf, SECCOMP_FILE, withFilter } from './seccomp-cache.ts';

/**
 * Have the runtime compile the default profile, then run a container with nothing but the result, and look whether it is filtered; the same
 * for a second process in such a container.
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
    const command = [binary.path, `--root=${bundle.stateDirectory}`];
    const timeoutMs = PROBE_TIMEOUT_MS;
    const ran = await run([...command, 'run', '--bundle', bundle.directory, bundle.id], { timeoutMs });
    if (ran.exitCode !== SECCOMP_MODE_FILTER) return undefined;
    return (await execMode(command, bundle)) === SECCOMP_MODE_FILTER ? { key, filter } : undefined;
  });
}

/** Exit code of the probe as a further process of a container whose own waits. */
async function execMode(command: readonly string[], bundle: ProbeBundle): Promise<number> {
  await create(command, bundle);
  const spec = join(bundle.directory, 'process.json');
  writeFileSync(spec, JSON.stringify(bundle.spec.process));
  const exec = ['exec', '--process', spec, bundle.id];
  return (await run([...command, ...exec], { timeoutMs: PROBE_TIMEOUT_MS })).exitCode;
}

/** Make a container and let it go again: what was compiled for it lies in its state. */
async function compile(binary: OciBinary, bundle: ProbeBundle): Promise<Buffer> {
  const command = [binary.path, `--root=${bundle.stateDirectory}`];
  await create(command, bundle);
  const filter = readFileSync(join(bundle.stateDirectory, bundle.id, SECCOMP_FILE));
  await run([...command, 'delete', '--force', bundle.id], { timeoutMs: PROBE_TIMEOUT_MS });
  if (filter.length === 0) throw new EngineError('unavailable', 'the runtime keeps no filter');
  return filter;
}

async function create(command: readonly string[], { directory, id }: ProbeBundle): Promise<void> {
  // Its init holds whatever output it is given, so it gets none.
  const child = spawnDetached([...command, 'create', '--bundle', directory, id], {
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  const exitCode = await child.exited;
  if (exitCode !== 0) throw new EngineError('unavailable', `the probe was not created: ${exitCode}`);
}
