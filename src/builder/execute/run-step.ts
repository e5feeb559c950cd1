import { randomBytes } from 'node:crypto';
import { chown, mkdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import { resolvConfText, servedByEngine } from '../../network/names/resolv-conf-text.ts';
import { servesNames } from '../../network/predefined-networks.ts';
import type { TaskHandle } from '../../runtime/runtime.ts';
import type { SpecMount } from '../../runtime/runtime-spec.ts';
import type { SnapshotKey } from '../../snapshots/snapshotter.ts';
import { rootOf } from '../../sys/id-map.ts';
import { quote } from '../../wire/quote.ts';
import { BuildError, type BuildErrorDetails } from '../build-error.ts';
import { followTask } from './follow-task.ts';
import { ForeignPrograms } from './foreign-programs.ts';
import { LogLimit } from './log-limit.ts';
import { makeRootPlaces, missingPlaces, removePlaces } from './mount-stubs.ts';
import { hostsText } from './run-files.ts';
import type { RunPorts } from './run-ports.ts';
import type { RunOptions, RunRequest, ShellOptions } from './run-request.ts';
import { runShell } from './run-shell.ts';
import { ownerOnHost, stepIds, stepNetwork } from './step-ids.ts';
import { mountStep } from './step-mounts.ts';
import { type StepSpecParts, stepSpec } from './step-spec.ts';

/** The written snapshot of a RUN that went well, unmounted, until it is let go. */
export interface FinishedRun {
  snapshot: SnapshotKey;
  release(): Promise<void>;
}

type Undo = (what: string, step: () => Promise<unknown>) => void;

/**
 * Run one step's command in a container on `parent` to its end. What it wrote is the snapshot that is handed back; everything else of it is
 * gone by then. A failure or an abort kills it and leaves nothing.
 *
 * @throws BuildError `process "…" did not complete successfully: …`; EngineErrors of mounts and networks; the signal's reason.
 */
export async function runStep(
  request: RunRequest,
  ports: RunPorts,
  options: RunOptions,
): Promise<FinishedRun> {
  const { signal } = options;
  signal.throwIfAborted();
  ports.runtime.anticipate?.();
  const run = { request, ports, options };
  return await onSnapshot(run, async (parts) => await execute(parts, run));
}

/** A shell where a step would begin. What is written there goes with it. @throws as `runStep`, and `OpenShell`. */
export async function shellBeforeStep(
  request: RunRequest,
  ports: RunPorts,
  shell: ShellOptions,
): Promise<void> {
  const run = { request, ports, options: { signal: shell.signal } };
  const work: Work = async (parts) => await runShell(request, parts, ports, shell);
  await (await onSnapshot(run, work)).release();
}

interface Run {
  request: RunRequest;
  ports: RunPorts;
  options: { signal: AbortSignal };
}

type Work = (parts: StepSpecParts) => Promise<void>;

async function onSnapshot(run: Run, work: Work): Promise<FinishedRun> {
  const { request, ports, options } = run;
  const id = `build-${randomBytes(12).toString('hex')}`;
  const snapshot = id as SnapshotKey;
  const { snapshotter } = ports;
  await snapshotter.prepare(snapshot, request.parent, { signal: options.signal });
  const release = async (): Promise<void> => snapshotter.remove(snapshot);
  try {
    await runMounted(id, run, work);
    return { snapshot, release };
  } catch (error) {
    await release().catch((reason: unknown) =>
      ports.logger.error('Cannot remove the snapshot of a build step', { error: messageOf(reason) }),
    );
    throw error;
  }
}

async function runMounted(id: string, run: Run, work: Work): Promise<void> {
  const { ports } = run;
  await using stack = new AsyncDisposableStack();
  const undo: Undo = (what, step) => {
    stack.defer(async () => {
      try {
        await step();
      } catch (error) {
        ports.logger.error(`Cannot ${what} of a build step`, { error: messageOf(error) });
      }
    });
  };
  const files = ports.paths.tasks(id);
  await mkdir(files, { recursive: true, mode: 0o700 });
  undo('remove the files', () => rm(files, { recursive: true, force: true }));
  const root = ports.paths.rootfs(id);
  await mkdir(root, { recursive: true, mode: 0o700 });
  undo('remove the mount point', () => rmdir(root));
  const idMap = stepIds(run.request, ports);
  await ports.snapshotter.mount(id as SnapshotKey, root, { volatile: true, idMap });
  undo('unmount the root', () => ports.snapshotter.unmount(id as SnapshotKey, root));
  const { signal } = run.options;
  const [network, mounted] = await settled([
    joinNetwork(id, run, undo),
    mountStep({ id, ports, request: run.request, signal, undo }),
  ] as const);
  signal.throwIfAborted();
  const mounts = [...(await networkFiles(files, network, run)), ...mounted.mounts];
  makeRootPlaces(root, idMap === undefined ? undefined : rootOf(idMap));
  const places = missingPlaces(
    root,
    mounts.map(({ destination }) => destination),
  );
  const parts = {
    id,
    rootDirectory: root,
    mounts,
    env: mounted.env,
    networkNamespace: network.namespace,
    idMap,
  };
  await work(parts);
  removePlaces(root, places);
}

/** As `Promise.all`, but nothing is still under way when it fails: what was made can be taken back. */
async function settled<T extends readonly unknown[]>(
  work: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(work);
  return await Promise.all(work);
}

interface StepNetwork {
  /** Undefined: the host's. */
  namespace: string | undefined;
  gateway: string | undefined;
  /** Whether the engine's name server answers there. */
  served: boolean;
}

async function joinNetwork(id: string, { request, ports }: Run, undo: Undo): Promise<StepNetwork> {
  const { networks } = ports;
  const asked = stepNetwork(request);
  if (asked === 'host')
    return { namespace: undefined, gateway: await networks.hostGateway([]), served: false };
  const idMap = stepIds(request, ports);
  const userNamespace = idMap === undefined ? undefined : ports.userNamespaces.of(idMap);
  const namespace = await networks.createNamespace(id, { userNamespace });
  undo('remove the network namespace', () => networks.removeNamespace(id));
  if (asked === 'none') return { namespace, gateway: await networks.hostGateway([]), served: false };
  const network = asked === '' || asked === 'default' ? 'bridge' : asked;
  const endpoint = await networks.connect({ containerId: id, network });
  undo('leave the network', () => networks.disconnect(endpoint));
  return { namespace, gateway: await networks.hostGateway([endpoint]), served: servesNames(endpoint) };
}

async function networkFiles(
  directory: string,
  { namespace, gateway, served }: StepNetwork,
  { request, ports }: Run,
): Promise<SpecMount[]> {
  const owner = ownerOnHost(stepIds(request, ports), { uid: 0, gid: 0 });
  const resolver = await ports.resolver(namespace === undefined ? 'host' : 'own');
  const files = [
    { name: 'resolv.conf', text: resolvConfText(served ? servedByEngine(resolver) : resolver) },
    { name: 'hosts', text: hostsText(request.step.hostname, { extra: request.extraHosts, gateway }) },
  ];
  return await Promise.all(
    files.map(async ({ name, text }) => {
      const source = join(directory, name);
      await writeFile(source, text, { mode: 0o644 });
      await chown(source, owner.uid, owner.gid);
      const options = ['bind', 'ro', 'nosuid', 'nodev', 'noexec', 'rprivate'];
      return { destination: `/etc/${name}`, type: 'bind', source, options };
    }),
  );
}

interface StepRun extends Run {
  options: RunOptions;
}

async function execute(parts: StepSpecParts, run: StepRun): Promise<void> {
  try {
    await runCommand(parts, run);
  } catch (error) {
    const { request, ports, options } = run;
    if (error instanceof BuildError && error.exit !== undefined)
      await options.failed?.(error, async (shell) => await runShell(request, parts, ports, shell));
    throw error;
  }
}

type Failed = (how: string, details: BuildErrorDetails) => Promise<BuildError>;

async function runCommand(parts: StepSpecParts, { request, ports, options }: StepRun): Promise<void> {
  const limit = new LogLimit(options.log);
  const command = request.step.args.join(' ');
  const programs = new ForeignPrograms(request.step.platform);
  const failed: Failed = async (how, details) => {
    const advice = await programs.advice(ports.runnablePlatforms);
    return new BuildError(
      `process ${quote(command)} did not complete successfully: ${how}${advice}`,
      details,
    );
  };
  const told = { failed, limit, command, programs };
  const id = { containerId: parts.id, generation: 1 };
  const { signal } = options;
  let handle: TaskHandle;
  try {
    handle = await ports.runtime.create(
      {
        id,
        rootDirectory: parts.rootDirectory,
        directory: ports.paths.task(parts.id, 1),
        spec: stepSpec(request, parts, ports),
        terminal: false,
        stdin: false,
        leaveStdinOpen: false,
        logPath: undefined,
        ...(parts.idMap === undefined ? {} : { root: rootOf(parts.idMap) }),
      },
      { signal },
    );
  } catch (error) {
    signal.throwIfAborted();
    throw await startFailure(error, told);
  }
  try {
    const output = (stream: 'stdout' | 'stderr', data: Uint8Array): void => {
      programs.see(data);
      limit.write(stream === 'stdout' ? 1 : 2, data);
    };
    const code = await followTask(ports.runtime, handle, { signal, output });
    if (code !== 0) throw await failed(`exit code: ${code}`, { exit: { code, command } });
  } catch (error) {
    signal.throwIfAborted();
    throw isStartFailure(error) ? await startFailure(error, told) : error;
  } finally {
    await ports.runtime.remove(handle);
  }
}

function isStartFailure(error: unknown): boolean {
  return (
    error instanceof EngineError &&
    (error.code === 'command-not-found' || error.code === 'command-not-executable')
  );
}

/** A command that can't be started is the step's own failure, told as BuildKit tells it: on its output, with code 1. */
async function startFailure(
  error: unknown,
  to: { failed: Failed; limit: LogLimit; command: string; programs: ForeignPrograms },
): Promise<unknown> {
  if (!(error instanceof EngineError)) return error;
  if (isStartFailure(error)) {
    to.programs.notStarted();
    to.limit.write(2, new TextEncoder().encode(`${error.message}\n`));
    return await to.failed('exit code: 1', { exit: { code: 1, command: to.command }, cause: error });
  }
  return error.kind === 'invalid' || error.kind === 'not-found'
    ? await to.failed(error.message, { cause: error })
    : error;
}
