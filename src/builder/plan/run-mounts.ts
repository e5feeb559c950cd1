import { posix } from 'node:path';
import { EngineError } from '../../errors/engine-error.ts';
import type { Platform } from '../../oci/platform.ts';
import type { RunMount } from '../instructions/instruction.ts';
import type { StepMount, StepTree } from './build-step.ts';
import { copyToRoot } from './copy-to-root.ts';

export interface MountContext {
  /** One for each mount. */
  trees: readonly StepTree[];
  workdir: string;
  platform: Platform;
  reads: (tree: StepTree, path: string) => void;
  /** Sets caches of this build apart from others of the same names; '': it doesn't. */
  cacheNamespace: string;
}

const SECRETS_DIRECTORY = '/run/secrets';
/** Where a part of a context lies in the tree that is made of it. */
const MOUNTED_PATH = '/files';
const AGENT_PATH = '/run/buildkit/ssh_agent';

/** RUN's mounts with their defaults. @throws EngineError "invalid" in BuildKit's words. */
export function planMounts(mounts: readonly RunMount[], context: MountContext): StepMount[] {
  let agents = 0;
  return mounts.map((mount, at): StepMount => {
    const from = context.trees[at] ?? { kind: 'step', step: undefined };
    switch (mount.type) {
      case 'bind':
        return bind(mount, from, context);
      case 'cache':
        return cache(mount, mount.from === '' ? { kind: 'step', step: undefined } : from, context);
      case 'tmpfs':
        return { type: 'tmpfs', target: targetOf(mount, context), sizeBytes: mount.sizeBytes };
      case 'secret':
        return secret(mount, context);
      case 'ssh':
        return agent(mount, context, agents++);
    }
  });
}

function targetOf({ target }: RunMount, { workdir }: MountContext): string {
  const path = posix.resolve('/', workdir, target);
  if (path === '/') throw new EngineError('invalid', 'invalid mount target "/"');
  return path;
}

function bind(mount: RunMount, from: StepTree, context: MountContext): StepMount {
  const source = posix.resolve('/', mount.source);
  context.reads(from, source);
  return {
    type: 'bind',
    ...asStep(from, source, context),
    target: targetOf(mount, context),
    readOnly: mount.readOnly,
  };
}

/** What of a context is mounted is made a tree of its own first, which is kept as any other step's. Links on the way are followed by then. */
function asStep(
  tree: StepTree,
  path: string,
  { platform }: MountContext,
): { tree: StepTree; source: string } {
  if (tree.kind === 'step') return { tree, source: path };
  const name = `[internal] files of the context: ${path}`;
  const step = copyToRoot({ kind: 'path', tree, path }, name, platform);
  if (path === '/' || step.work.kind !== 'copy') return { tree: { kind: 'step', step }, source: '/' };
  step.work = { ...step.work, options: { ...step.work.options, destination: MOUNTED_PATH, asItIs: true } };
  return { tree: { kind: 'step', step }, source: MOUNTED_PATH };
}

function cache(mount: RunMount, from: StepTree, context: MountContext): StepMount {
  const target = targetOf(mount, context);
  const source = posix.resolve('/', mount.source);
  context.reads(from, source);
  const id = mount.id === '' ? posix.normalize(target) : mount.id;
  return {
    type: 'cache',
    id: context.cacheNamespace === '' ? id : `${context.cacheNamespace}/${id}`,
    ...asStep(from, source, context),
    target,
    sharing: mount.sharing ?? 'shared',
    readOnly: mount.readOnly,
    mode: mount.mode ?? 0o755,
    uid: mount.uid ?? 0,
    gid: mount.gid ?? 0,
  };
}

function secret(mount: RunMount, context: MountContext): StepMount {
  const id = mount.id === '' ? posix.basename(mount.target) : mount.id;
  if (id === '') throw new EngineError('invalid', 'one of source, target required');
  const wantsFile = mount.env === undefined || mount.target !== '';
  const target =
    mount.target === '' ? `${SECRETS_DIRECTORY}/${posix.basename(id)}` : targetOf(mount, context);
  const env = mount.env === '' ? id : mount.env;
  return {
    type: 'secret',
    id,
    target: wantsFile ? target : undefined,
    env,
    required: mount.required,
    mode: mount.mode ?? 0o400,
    uid: mount.uid ?? 0,
    gid: mount.gid ?? 0,
  };
}

function agent(mount: RunMount, context: MountContext, index: number): StepMount {
  return {
    type: 'ssh',
    id: mount.id === '' ? 'default' : mount.id,
    target: mount.target === '' ? `${AGENT_PATH}.${index}` : targetOf(mount, context),
    required: mount.required,
    mode: mount.mode ?? 0o600,
    uid: mount.uid ?? 0,
    gid: mount.gid ?? 0,
  };
}
