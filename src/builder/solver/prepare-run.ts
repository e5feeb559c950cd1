import { EngineError } from '../../errors/engine-error.ts';
import type { ChainId, Digest } from '../../oci/digest.ts';
import { formatPlatform } from '../../oci/platform.ts';
import { makeRunLayer } from '../copy/make-file-layer.ts';
import { planCopy } from '../copy/plan-copy.ts';
import { type AskedCache, cacheKey, type HeldCaches } from '../execute/cache-mounts.ts';
import type { ReadyMount } from '../execute/run-request.ts';
import type { RunStep, StepMount } from '../plan/build-step.ts';
import type { FilePlace } from '../sources/file-place.ts';
import type { BuiltLayer } from './cache-record.ts';
import type { PreparedStep } from './prepared-step.ts';
import type { StepInputs } from './step-inputs.ts';

/** What a cache's description shows of the command that it was made for. */
const MAX_COMMAND = 1000;

/** @throws EngineError "invalid" for what the user hasn't allowed. */
export async function prepareRun(step: RunStep, inputs: StepInputs): Promise<PreparedStep> {
  checkEntitled(step, inputs);
  const parent = await inputs.parentOf(step);
  const { network, extraHosts, limits } = inputs.options;
  const mounts = await Promise.all(step.mounts.map((mount) => mountKey(mount, inputs)));
  const { args, env, workdir, user, security, hostname } = step;
  const own = step.network === 'default' ? network || 'default' : step.network;
  const key = inputs.key([
    'run',
    parent ?? '',
    formatPlatform(step.platform),
    { args, env, workdir, user, security, hostname, network: own, mounts },
    // As in BuildKit their addresses make no difference.
    extraHosts.map((host) => host.replace(/[:=].*$/, '')),
    { shm: limits.shmSizeBytes ?? 0, ulimits: limits.ulimits ?? [] },
  ]);
  const make: PreparedStep['make'] = async (context) => await run(step, { parent, inputs, ...context });
  const reason = 'the command, its variables, mounts or what it stands on were not seen before';
  return { key, parent, reason, make, release: async () => undefined };
}

function checkEntitled(step: RunStep, inputs: StepInputs): void {
  const { entitlements, network } = inputs.options;
  if (step.network === 'host' && network !== 'host' && !entitlements.has('network.host'))
    throw notAllowed('network.host');
  if (step.security === 'insecure' && !entitlements.has('security.insecure'))
    throw notAllowed('security.insecure');
}

/** What of a mount makes a difference to the result. */
async function mountKey(mount: StepMount, inputs: StepInputs): Promise<unknown> {
  switch (mount.type) {
    case 'bind': {
      const place = await inputs.placeOf(mount.tree);
      return ['bind', mount.target, mount.readOnly, await digestAt(place, mount.source, inputs)];
    }
    case 'cache': {
      // What is in it plays no part, nor, as in BuildKit, which one it is; what it begins with does.
      const { target, readOnly, uid, gid, mode, tree } = mount;
      const isEmpty = tree.kind === 'step' && tree.step === undefined;
      const seed = isEmpty ? '' : await digestAt(await inputs.placeOf(tree), mount.source, inputs);
      return ['cache', target, readOnly, uid, gid, mode, seed];
    }
    case 'tmpfs':
    case 'secret':
    case 'ssh':
      return mount;
  }
}

async function digestAt(place: FilePlace, path: string, inputs: StepInputs): Promise<Digest> {
  const options = {
    command: 'COPY',
    destination: '/',
    workdir: '/',
    chown: '',
    chmod: '',
    parents: false,
    exclude: [],
    unpack: undefined,
    asItIs: true,
  } as const;
  const actions = planCopy([{ kind: 'path', place, path }], options);
  return await inputs.digest(actions);
}

async function run(
  step: RunStep,
  context: Parameters<PreparedStep['make']>[0] & { parent: ChainId | undefined; inputs: StepInputs },
): Promise<BuiltLayer> {
  const { signal, tell, failed, lease, parent, inputs } = context;
  const caches = await acquireCaches(step, inputs, signal);
  try {
    const directories = [...caches.directories];
    const mounts: ReadyMount[] = [];
    for (const mount of step.mounts) mounts.push(await readyMount(mount, directories, inputs));
    const leave = await inputs.ports.turns.enter(signal);
    try {
      tell({ type: 'started' });
      const { session, network, extraHosts, limits } = inputs.options;
      const finished = await inputs.ports.run(
        { step, parent, mounts, session, network, extraHosts, limits },
        inputs.ports.runs,
        {
          signal,
          log: (stream, data) => tell({ type: 'log', stream, data }),
          failed:
            failed &&
            (async (error, open) => {
              // Others need not wait for a person.
              leave();
              await failed(error, open);
            }),
        },
      );
      try {
        const made = await makeRunLayer(finished.snapshot, {
          ports: inputs.ports.layers,
          lease,
          parent,
          compression: 'none',
          signal,
          skip: [],
        });
        return inputs.built(made, parent);
      } finally {
        await finished.release();
      }
    } finally {
      leave();
    }
  } finally {
    await caches.release();
  }
}

/** The keys of a step's cache mounts, by which other builders' caches know them. */
export async function cacheKeys({ mounts }: RunStep, inputs: StepInputs): Promise<string[]> {
  const keys: string[] = [];
  for (const mount of mounts)
    if (mount.type === 'cache') keys.push(cacheKey({ mount, seed: await inputs.chainOf(mount.tree) }));
  return keys;
}

async function acquireCaches(
  { mounts, args }: RunStep,
  inputs: StepInputs,
  signal: AbortSignal,
): Promise<HeldCaches> {
  const { imported: caches, lease } = inputs.options;
  const imported =
    caches === undefined ? undefined : (key: string) => caches.bringMount(key, { lease, signal });
  const command = args.join(' ').slice(0, MAX_COMMAND);
  const asked: AskedCache[] = [];
  for (const mount of mounts)
    if (mount.type === 'cache')
      asked.push({ mount, seed: await inputs.chainOf(mount.tree), command, imported });
  return await inputs.ports.mounts.acquire(asked, signal);
}

/** `directories`: those of the cache mounts that are still to come. */
async function readyMount(mount: StepMount, directories: string[], inputs: StepInputs): Promise<ReadyMount> {
  if (mount.type === 'bind') {
    const { target, source, readOnly } = mount;
    return { type: 'bind', chain: await inputs.chainOf(mount.tree), source, target, readOnly };
  }
  if (mount.type !== 'cache') return mount;
  const { target, readOnly } = mount;
  return { type: 'cache', directory: directories.shift() ?? '', target, readOnly };
}

function notAllowed(entitlement: string): Error {
  return new EngineError('invalid', `failed to load LLB: ${entitlement} is not allowed`);
}
