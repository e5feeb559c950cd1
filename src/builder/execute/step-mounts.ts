import { chmod, chown, mkdir, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, kindOf } from '../../errors/engine-error.ts';
import type { ChainId } from '../../oci/digest.ts';
import type { SpecMount } from '../../runtime/runtime-spec.ts';
import { resolveInRoot } from '../../runtime/spec/root-path.ts';
import type { SnapshotKey } from '../../snapshots/snapshotter.ts';
import { mountMapped } from '../../sys/detached-mount.ts';
import { unmountIfMounted } from '../../sys/mount.ts';
import type { RunPorts } from './run-ports.ts';
import type { ReadyMount, RunRequest } from './run-request.ts';
import { ownerOnHost, stepIds } from './step-ids.ts';

export interface MountedStep {
  mounts: SpecMount[];
  /** `NAME=value` of secrets and agents. */
  env: string[];
}

export interface MountingContext {
  id: string;
  ports: RunPorts;
  request: RunRequest;
  signal: AbortSignal;
  undo: (what: string, step: () => Promise<unknown>) => void;
}

const MAX_SECRET_BYTES = 500 * 1024;

/** Make ready what a RUN mounts besides its root, in the order of its mounts. @throws EngineError in BuildKit's words. */
export async function mountStep(context: MountingContext): Promise<MountedStep> {
  const made: MountedStep = { mounts: [], env: [] };
  for (const [at, mount] of context.request.mounts.entries()) {
    context.signal.throwIfAborted();
    const { mounts, env } = await mountOne(mount, at, context);
    made.mounts.push(...mounts);
    made.env.push(...env);
  }
  return made;
}

async function mountOne(mount: ReadyMount, at: number, context: MountingContext): Promise<MountedStep> {
  switch (mount.type) {
    case 'bind':
      return { mounts: [await bind(mount, at, context)], env: [] };
    case 'cache':
      return {
        mounts: [bindOf(await cacheOf(mount.directory, at, context), mount.target, mount.readOnly)],
        env: [],
      };
    case 'tmpfs':
      return { mounts: [tmpfs(mount)], env: [] };
    case 'secret':
      return await secret(mount, at, context);
    case 'ssh':
      return await agent(mount, at, context);
  }
}

/** A cache keeps the ids that steps see, whatever those are on the host. */
async function cacheOf(
  directory: string,
  at: number,
  { id, request, ports, undo }: MountingContext,
): Promise<string> {
  const idMap = stepIds(request, ports);
  if (idMap === undefined) return directory;
  const folder = ports.paths.mounts(id);
  const place = join(folder, String(at));
  undo('remove a mount point', () => rmdir(folder).catch(() => undefined));
  await mkdir(place, { recursive: true, mode: 0o700 });
  undo('remove a mount point', () => rmdir(place));
  mountMapped(directory, place, ports.userNamespaces.of(idMap));
  undo('unmount a cache', async () => unmountIfMounted(place, { detach: true }));
  return place;
}

function bindOf(source: string, destination: string, readOnly: boolean): SpecMount {
  const options = ['rbind', ...(readOnly ? ['ro'] : []), 'rprivate'];
  return { destination, type: 'bind', source, options };
}

function tmpfs({ target, sizeBytes }: Extract<ReadyMount, { type: 'tmpfs' }>): SpecMount {
  const size = sizeBytes > 0n ? [`size=${sizeBytes}`] : [];
  return { destination: target, type: 'tmpfs', source: 'tmpfs', options: ['nosuid', ...size] };
}

/** A stage's or an image's files: a snapshot of their own, so that what is written there (`rw`) goes with it. */
async function bind(
  mount: Extract<ReadyMount, { type: 'bind' }>,
  at: number,
  context: MountingContext,
): Promise<SpecMount> {
  const root = await mountChain(mount.chain, `${context.id}-m${at}`, context);
  const source = resolveInRoot(root, mount.source);
  return bindOf(source, mount.target, mount.readOnly);
}

/** A writable snapshot of a chain, mounted until the step is over. */
async function mountChain(
  chain: ChainId | undefined,
  id: string,
  { ports, request, signal, undo }: MountingContext,
): Promise<string> {
  const { snapshotter, paths } = ports;
  const key = id as SnapshotKey;
  const target = paths.rootfs(id);
  await mkdir(target, { recursive: true, mode: 0o700 });
  undo('remove a mount point', () => rmdir(target));
  await snapshotter.prepare(key, chain, { signal });
  undo('remove a snapshot', () => snapshotter.remove(key));
  await snapshotter.mount(key, target, { volatile: true, idMap: stepIds(request, ports) });
  undo('unmount a snapshot', () => snapshotter.unmount(key, target));
  return target;
}

async function secret(
  mount: Extract<ReadyMount, { type: 'secret' }>,
  at: number,
  { id, ports, request, signal }: MountingContext,
): Promise<MountedStep> {
  const value = await request.session.secret(mount.id, { signal });
  if (value === undefined) {
    if (mount.required) throw new EngineError('invalid', `secret ${mount.id}: not found`);
    return { mounts: [], env: [] };
  }
  if (value.length > MAX_SECRET_BYTES)
    throw new EngineError('invalid', `secret ${mount.id} is larger than ${MAX_SECRET_BYTES} bytes`);
  const env = mount.env === undefined ? [] : [`${mount.env}=${Buffer.from(value).toString('utf8')}`];
  if (mount.target === undefined) return { mounts: [], env };
  const file = join(ports.paths.tasks(id), `secret-${at}`);
  await writeFile(file, value, { mode: 0o600, flag: 'wx' });
  const owner = ownerOnHost(stepIds(request, ports), mount);
  await chown(file, owner.uid, owner.gid);
  await chmod(file, mount.mode);
  const options = ['bind', 'ro', 'nosuid', 'nodev', 'noexec', 'rprivate'];
  return { mounts: [{ destination: mount.target, type: 'bind', source: file, options }], env };
}

async function agent(
  mount: Extract<ReadyMount, { type: 'ssh' }>,
  at: number,
  { id, ports, request, signal, undo }: MountingContext,
): Promise<MountedStep> {
  const socket = join(ports.paths.tasks(id), `agent-${at}`);
  try {
    const forwarded = await request.session.forwardAgent(mount.id, socket, { signal });
    undo('close a forwarded agent', () => forwarded.close());
  } catch (error) {
    if (kindOf(error) !== 'not-found' || mount.required) throw error;
    return { mounts: [], env: [] };
  }
  const owner = ownerOnHost(stepIds(request, ports), mount);
  await chown(socket, owner.uid, owner.gid);
  await chmod(socket, mount.mode);
  const options = ['bind', 'nosuid', 'nodev', 'noexec', 'rprivate'];
  return {
    mounts: [{ destination: mount.target, type: 'bind', source: socket, options }],
    env: [`SSH_AUTH_SOCK=${mount.target}`],
  };
}
