import { mkdir, unlink } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import type { Logger } from '../../errors/logger.ts';
import type { LastingCgroup } from '../../sys/lasting-cgroup.ts';
import { spawnDetached } from '../../sys/spawn.ts';
import { type ControlAnswer, type ControlRequest, LineReader } from './control-messages.ts';
import { HelperProcess } from './helper-process.ts';
import type { NamedContainer, NamedEndpoint, NamePorts, NameServer, NameState } from './name-server.ts';

const START_PATIENCE_MS = 5000;
const CALL_PATIENCE_MS = 10_000;
/** What a container's namespace adds to the time of a call. */
const CONTAINER_PATIENCE_MS = 10;

type Unnumbered<T> = T extends { id: number } ? Omit<T, 'id'> : never;
type Command = Unnumbered<ControlRequest>;

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (error: EngineError) => void;
  deadlineMs: number;
}

/** The daemon's side of a name-server process, found again by the socket in the exec root. */
export class ProcessNameServer implements NameServer {
  readonly #path: string;
  readonly #directory: string;
  readonly #logger: Logger;
  readonly #patienceMs: number;
  readonly #lasting: LastingCgroup | undefined;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #socket: Promise<Socket> | undefined;
  #lost: () => void = () => undefined;
  #closed = false;

  /** `patienceMs`: what has not answered a call by then is ended, and its work goes to another. */
  constructor(options: {
    directory: string;
    logger: Logger;
    lasting?: LastingCgroup | undefined;
    patienceMs?: number;
  }) {
    this.#patienceMs = options.patienceMs ?? CALL_PATIENCE_MS;
    this.#directory = options.directory;
    this.#path = join(options.directory, 'names.sock');
    this.#logger = options.logger;
    this.#lasting = options.lasting;
  }

  async adopt(state: NameState): Promise<Map<string, NamePorts>> {
    const answer = await this.#call({ do: 'adopt', state });
    return new Map(Object.entries(answer as Record<string, NamePorts>));
  }

  async serve(container: NamedContainer): Promise<NamePorts> {
    return (await this.#call({ do: 'serve', container })) as NamePorts;
  }

  async forget(containerId: string): Promise<void> {
    await this.#call({ do: 'forget', containerId });
  }

  async add(endpoint: NamedEndpoint): Promise<void> {
    await this.#call({ do: 'add', endpoint });
  }

  async remove(endpointId: string): Promise<void> {
    await this.#call({ do: 'remove', endpointId });
  }

  onLost(listener: () => void): void {
    this.#lost = listener;
  }

  async close({ stop }: { stop: boolean }): Promise<void> {
    this.#closed = true;
    if (stop) {
      const socket = await (this.#socket ?? connectTo(this.#path)).catch(() => undefined);
      socket?.end(`${JSON.stringify({ id: 0, do: 'stop' } satisfies ControlRequest)}\n`);
      await unlink(this.#path).catch(() => undefined);
    } else {
      const socket = await this.#socket?.catch(() => undefined);
      socket?.destroy();
    }
    this.#fail(new EngineError('internal', 'The name server was closed'));
  }

  async #call(command: Command): Promise<unknown> {
    this.#socket ??= this.#open();
    const socket = await this.#socket;
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const deadlineMs = this.#deadlineOf(command);
    const timer = setTimeout(() => socket.destroy(), deadlineMs - performance.now());
    this.#waiting.set(id, { resolve, reject, deadlineMs });
    socket.write(`${JSON.stringify({ id, ...command })}\n`);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  /** It does one thing after the other: a call is given the time of those before it. */
  #deadlineOf(command: Command): number {
    const containers = command.do === 'adopt' ? command.state.containers.length : 0;
    const ownMs = performance.now() + this.#patienceMs + containers * CONTAINER_PATIENCE_MS;
    return Math.max(ownMs, ...[...this.#waiting.values()].map(({ deadlineMs }) => deadlineMs));
  }

  async #open(): Promise<Socket> {
    try {
      const socket = (await connectTo(this.#path).catch(() => undefined)) ?? (await this.#start());
      this.#listen(socket);
      return socket;
    } catch (error) {
      this.#socket = undefined;
      throw error;
    }
  }

  async #start(): Promise<Socket> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const program = Bun.fileURLToPath(new URL('./serve-names.ts', import.meta.url));
    const { pid } = spawnDetached([process.execPath, '--smol', program, this.#path], {
      stdio: ['ignore', 'ignore', 'ignore'],
      cwd: '/',
    });
    this.#lasting?.adopt(pid);
    this.#logger.debug('Started the name server', { pid });
    const endMs = performance.now() + START_PATIENCE_MS;
    for (;;) {
      const socket = await connectTo(this.#path).catch(() => undefined);
      if (socket !== undefined) return socket;
      if (performance.now() > endMs)
        throw new EngineError('internal', 'Cannot start the name server of containers');
      await sleep(5);
    }
  }

  #listen(socket: Socket): void {
    const lines = new LineReader();
    const helper = HelperProcess.behind(socket, this.#path);
    socket.unref();
    socket.on('error', () => undefined);
    socket.on('data', (data: Uint8Array) => {
      try {
        for (const line of lines.push(data)) this.#answered(JSON.parse(line) as ControlAnswer);
      } catch (error) {
        this.#logger.warn('Cannot read an answer of the name server', { error: messageOf(error) });
        socket.destroy();
      }
    });
    socket.on('close', () => void this.#lose(helper));
  }

  /** What hangs is ended, so that another takes its place. */
  async #lose(helper: HelperProcess | undefined): Promise<void> {
    try {
      if (!this.#closed) await helper?.kill();
    } catch (error) {
      this.#logger.warn('Cannot end the name server', { error: messageOf(error) });
    }
    helper?.close();
    this.#socket = undefined;
    this.#fail(new EngineError('internal', 'The name server does not answer'));
    if (!this.#closed) this.#lost();
  }

  #answered({ id, value, error }: ControlAnswer): void {
    const waiting = this.#waiting.get(id);
    if (error === undefined) waiting?.resolve(value);
    else waiting?.reject(new EngineError('internal', `Cannot serve names: ${error}`));
  }

  #fail(error: EngineError): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

function connectTo(path: string): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connect({ path });
  socket.once('connect', () => resolve(socket));
  socket.once('error', reject);
  return promise;
}
