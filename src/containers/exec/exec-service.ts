import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import type { ExecHandle } from '../../runtime/exec.ts';
import type { TaskExit } from '../../runtime/runtime.ts';
import type { SpecProcess } from '../../runtime/runtime-spec.ts';
import { execProcess, resolveLiveUser } from '../../runtime/spec/exec-process.ts';
import { bootId, nowNano } from '../../sys/clock.ts';
import type { AttachClient } from '../container-backend.ts';
import { publishContainerEvent } from '../container-events.ts';
import type { ContainerDependencies } from '../dependencies.ts';
import type { LiveContainer, LiveTask } from '../live-container.ts';
import type { ContainerRecord } from '../record/container-record.ts';
import type { ContainerIndex } from '../record/container-store.ts';
import { DEFAULT_DETACH_KEYS, untilDetached } from '../streams/detach-keys.ts';
import { notRunning, runningTask } from '../tasks/running-task.ts';
import { startFailureCode } from '../tasks/task-starter.ts';
import { EndedExecs } from './ended-execs.ts';
import type { ExecBackend, ExecConfig, ExecView } from './exec-backend.ts';
import { ExecIndex } from './exec-index.ts';
import { type ExecNote, ExecNotes } from './exec-notes.ts';
import { LiveExec } from './live-exec.ts';

/** Docker's: how long a resize waits for a start. */
const RESIZE_WAIT_MS = 10_000;

type Size = [rows: number, columns: number];

/** Execs: created, run, followed to their end, and found again after a restart. */
export class ExecService implements ExecBackend {
  readonly #deps: Pick<ContainerDependencies, 'runtime' | 'events' | 'logger' | 'paths'>;
  readonly #index: ContainerIndex<LiveContainer>;
  readonly #notes: ExecNotes;
  readonly #codes: EndedExecs;
  readonly #execs: ExecIndex;
  readonly #closing = new AbortController();
  readonly #background = new Set<Promise<void>>();

  constructor(
    deps: Pick<ContainerDependencies, 'runtime' | 'events' | 'logger' | 'paths'>,
    index: ContainerIndex<LiveContainer>,
  ) {
    this.#deps = deps;
    this.#index = index;
    this.#notes = new ExecNotes(deps.paths.execNotes);
    this.#codes = new EndedExecs(deps.paths);
    this.#execs = new ExecIndex(index, this.#codes);
  }

  async createExec(nameOrId: string, config: ExecConfig): Promise<string> {
    const container = this.#index.resolve(nameOrId);
    const task = activeTask(container, nameOrId);
    this.#deps.runtime.anticipate?.();
    const { groupAdd } = container.record.host;
    if (config.user !== '')
      resolveLiveUser(this.#deps.paths.rootfs(container.id), { user: config.user, groupAdd });
    return this.create(container, task, config).id;
  }

  /** What has been checked already. */
  create(container: LiveContainer, task: LiveTask, config: ExecConfig): LiveExec {
    const exec = new LiveExec(randomBytes(32).toString('hex'), container, { task, config });
    this.#execs.add(exec);
    this.#publish(exec, `exec_create: ${commandLine(config)}`);
    return exec;
  }

  inspectExec(id: string): ExecView {
    return this.#execs.find(id).view;
  }

  checkExec(id: string): void {
    const { container } = this.#execs.find(id);
    activeTask(container, container.id);
  }

  async startExec(
    id: string,
    { consoleSize }: { consoleSize?: Size | undefined },
    connect: (() => AttachClient) | undefined,
  ): Promise<void> {
    this.checkExec(id);
    const exec = this.#execs.find(id);
    const client = connect?.();
    if (exec.state === 'ended') throw new EngineError('conflict', `exec command ${id} has already run`);
    if (exec.state !== 'created') throw new EngineError('conflict', `exec command ${id} is already running`);
    await this.run(exec, { client, consoleSize });
  }

  /** Run what was created; resolves as `startExec`. */
  async run(
    exec: LiveExec,
    { client, consoleSize }: { client?: AttachClient | undefined; consoleSize?: Size | undefined },
  ): Promise<void> {
    exec.state = 'starting';
    this.#publish(exec, `exec_start: ${commandLine(exec.config)}`);
    const attached = client === undefined ? undefined : this.#attach(exec, client);
    try {
      await this.#start(exec, {
        joined: client !== undefined,
        consoleSize: consoleSize ?? exec.config.consoleSize,
      });
    } catch (error) {
      this.#failed(exec, error);
      await attached;
      throw error;
    }
    await attached;
  }

  async resizeExec(id: string, { columns, rows }: { columns: number; rows: number }): Promise<void> {
    this.checkExec(id);
    const exec = this.#execs.find(id);
    await this.#untilStarted(exec);
    if (exec.state !== 'running' || exec.handle === undefined) throw gone(exec);
    try {
      await this.#deps.runtime.resizeExec(exec.handle, { columns, rows });
    } catch (error) {
      if (error instanceof EngineError && error.kind === 'conflict') throw gone(exec);
      throw error;
    }
  }

  /** Signal its process. One that has ended is no error. */
  async kill(exec: LiveExec, signal: number): Promise<void> {
    if (exec.handle === undefined || exec.state === 'ended') return;
    await this.#deps.runtime.killExec(exec.handle, signal).catch((error: unknown) => {
      if (!(error instanceof EngineError) || error.kind !== 'conflict') throw error;
    });
  }

  /** Of one that was run for the engine's own sake nobody will ask. */
  forget(exec: LiveExec): void {
    this.#execs.forget(exec);
  }

  /** Those that run in one of these starts of containers, or have ended meanwhile: what `runtime.recover` is to keep. */
  async notesOf(tasks: readonly { containerId: string; generation: number }[]): Promise<ExecNote[]> {
    const boot = bootId();
    const notes = await this.#notes.load();
    const isOurs = ({ handle }: ExecNote): boolean =>
      handle.bootId === boot &&
      tasks.some((id) => id.containerId === handle.id.containerId && id.generation === handle.id.generation);
    for (const { handle } of notes.filter((note) => !isOurs(note))) this.#notes.remove(handle.execId);
    return notes.filter(isOurs);
  }

  /** Follow an exec of the daemon before to its end. Its client was cut with that daemon. */
  takeUp(container: LiveContainer, task: LiveTask, { handle, config }: ExecNote): void {
    const exec = new LiveExec(handle.execId, container, { task, config });
    exec.state = 'running';
    exec.handle = handle;
    exec.started.resolve();
    this.#execs.add(exec);
    this.#track(this.#follow(exec, handle));
  }

  /** What has ended in a container that runs, of which the daemon before knew: its code can be asked for still. */
  async recall(container: LiveContainer, task: LiveTask): Promise<void> {
    const now = Date.now();
    for (const { handle, config, exitCode, endedAtMs } of await this.#codes.load(task.handle.id)) {
      if (this.#execs.has(handle.execId)) continue;
      const exec = new LiveExec(handle.execId, container, { task, config });
      Object.assign(exec, { state: 'ended', handle, exitCode });
      exec.started.resolve();
      exec.ended.resolve();
      this.#execs.addEnded(exec, Math.min(endedAtMs, now));
    }
  }

  /** Stop following; what runs, runs on. */
  async close(): Promise<void> {
    this.#closing.abort();
    while (this.#background.size > 0) await Promise.all(this.#background);
  }

  async #attach(exec: LiveExec, client: AttachClient): Promise<void> {
    const { config } = exec;
    const detach = new AbortController();
    const keys = config.detachKeys.length === 0 ? DEFAULT_DETACH_KEYS : config.detachKeys;
    const onDetach = (): void => {
      this.#publish(exec, 'exec_detach');
      detach.abort();
    };
    const typed = config.tty ? untilDetached(client.stdin, keys, onDetach) : client.stdin;
    const stdin = config.attachStdin;
    // As in Docker: whoever has no more to say to a terminal leaves it.
    const member: AttachClient = {
      stdin: config.tty && stdin ? leavingAfter(typed, () => detach.abort()) : typed,
      write: (stream, data) => client.write(stream, data),
      signal: AbortSignal.any([client.signal, detach.signal]),
    };
    await exec.hub.join(member, {
      stdin,
      stdout: config.attachStdout,
      stderr: config.attachStderr,
      closeStdin: !config.tty,
    });
  }

  async #start(exec: LiveExec, of: { joined: boolean; consoleSize: Size | undefined }): Promise<void> {
    const { runtime, paths } = this.#deps;
    const { container, task, config } = exec;
    const { handle: owner } = task;
    const streams = { joined: of.joined };
    const request = {
      execId: exec.id,
      directory: join(paths.task(owner.id.containerId, owner.id.generation), 'exec', exec.id),
      process: this.#process(exec, of.consoleSize),
      terminal: config.tty,
      stdin: config.attachStdin && streams.joined,
    };
    request.process.catch(() => undefined);
    if (container.task !== task) throw notRunning(container);
    const handle = await runtime.exec(owner, request, {
      signal: this.#closing.signal,
      ...(of.joined ? { joined: (given) => exec.hub.begin(given) } : {}),
    });
    exec.handle = handle;
    exec.state = 'running';
    this.#note(exec, handle);
    exec.started.resolve();
    this.#track(this.#follow(exec, handle));
  }

  /** One that can't be noted runs all the same, and is followed as long as this daemon lives. */
  #note({ id, config }: LiveExec, handle: ExecHandle): void {
    try {
      this.#notes.write({ handle, config });
    } catch (error) {
      this.#deps.logger.warn('Cannot note an exec', { exec: id, error: messageOf(error) });
    }
  }

  async #process(exec: LiveExec, consoleSize: Size | undefined): Promise<SpecProcess> {
    const { runtime, paths } = this.#deps;
    const { config, container } = exec;
    const { config: own, host } = container.record;
    const { process } = await runtime.specOf(exec.task.handle);
    return execProcess(process, paths.rootfs(container.id), {
      args: config.command,
      env: [...linkedEnvironment(process, container.record), ...own.env, ...config.env],
      hostname: own.hostname,
      workingDir: config.workingDir === '' ? own.workingDir : config.workingDir,
      user: config.user === '' ? own.user : config.user,
      groupAdd: host.groupAdd,
      privileged: config.privileged,
      terminal: config.tty,
      consoleSize,
    });
  }

  async #follow(exec: LiveExec, handle: ExecHandle): Promise<void> {
    const exit = await this.#exitOf(exec, handle);
    if (exit === undefined) return;
    // Before its output ends: who has read all of it may ask for the code.
    exec.exitCode = exit.exitCode;
    exec.state = 'ended';
    exec.container.execs.delete(exec.id);
    this.#writeEnded(exec, handle);
    exec.hub.release('exited');
    await exec.hub.drained();
    exec.hub.end();
    this.#publish(exec, 'exec_die', { exitCode: String(exit.exitCode) });
    this.#execs.keepEnded(exec);
    exec.ended.resolve();
    this.#notes.remove(exec.id);
    await this.#deps.runtime.removeExec(handle);
  }

  /** Undefined: the daemon closes. */
  async #exitOf(exec: LiveExec, handle: ExecHandle): Promise<TaskExit | undefined> {
    try {
      return await this.#deps.runtime.waitExec(handle, { signal: this.#closing.signal });
    } catch (error) {
      if (this.#closing.signal.aborted) return undefined;
      this.#deps.logger.error('Cannot wait for an exec', { exec: exec.id, error: messageOf(error) });
      return { id: handle.id, exitCode: 137, oomKilled: false, finishedAtNano: nowNano() };
    }
  }

  #failed(exec: LiveExec, error: unknown): void {
    exec.state = 'ended';
    exec.exitCode = failureCode(error);
    exec.container.execs.delete(exec.id);
    exec.hub.end();
    exec.started.resolve();
    exec.ended.resolve();
    this.#execs.keepEnded(exec);
  }

  /** Before its client can know of its end. */
  #writeEnded({ isOwn, config, exitCode = 0 }: LiveExec, handle: ExecHandle): void {
    if (isOwn) return;
    try {
      this.#codes.write({ handle, config, exitCode, endedAtMs: Date.now() });
    } catch (error) {
      this.#deps.logger.warn('Cannot keep the exit code of an exec', { error: messageOf(error) });
    }
  }

  async #untilStarted(exec: LiveExec): Promise<void> {
    const { promise, reject } = Promise.withResolvers<never>();
    const late = new EngineError('internal', 'timeout waiting for exec session ready');
    const timer = setTimeout(() => reject(late), RESIZE_WAIT_MS);
    try {
      await Promise.race([exec.started.promise, promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  #publish(exec: LiveExec, action: string, attributes: Record<string, string> = {}): void {
    publishContainerEvent(this.#deps.events, exec.container.record, action, {
      attributes: { execID: exec.id, ...attributes },
    });
  }

  #track(job: Promise<void>): void {
    const tracked = job.catch((error: unknown) =>
      this.#deps.logger.error('Work behind an exec failed', { error: messageOf(error) }),
    );
    this.#background.add(tracked);
    void tracked.finally(() => this.#background.delete(tracked));
  }
}

/** Of the containers that it is linked to, as its start found them. */
function linkedEnvironment({ env }: SpecProcess, { links, config }: ContainerRecord): string[] {
  if (links.length === 0) return [];
  const nameOf = (entry: string): string => entry.split('=', 1)[0] ?? '';
  const others = new Set([...config.env.map(nameOf), 'PATH', 'HOSTNAME', 'HOME', 'TERM']);
  return env.filter((entry) => !others.has(nameOf(entry)));
}

/** As Docker tells it: the command's words, with a blank also behind one that stands alone. */
function commandLine({ command }: ExecConfig): string {
  const [entrypoint = '', ...args] = command;
  return `${entrypoint} ${args.join(' ')}`;
}

/** @throws EngineError "conflict" in Docker's words; `name` is how the user called it. */
function activeTask(container: LiveContainer, name: string): LiveTask {
  const task = runningTask(container);
  if (task.paused)
    throw new EngineError('conflict', `Container ${name} is paused, unpause the container before exec`);
  return task;
}

function gone(exec: LiveExec): EngineError {
  return new EngineError('not-found', `NotFound: process does not exist ${exec.id}: not found`);
}

/** Docker's: 126 unless something was said of the command. */
function failureCode(error: unknown): number {
  const refused = error instanceof EngineError && (error.kind === 'conflict' || error.code === undefined);
  if (!refused) return startFailureCode(error);
  return messageOf(error).startsWith('OCI runtime exec failed') ? startFailureCode(error) : 126;
}

async function* leavingAfter(
  input: AsyncIterable<Uint8Array>,
  leave: () => void,
): AsyncGenerator<Uint8Array, void> {
  yield* input;
  leave();
}
