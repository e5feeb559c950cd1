import { mkdir, unlink } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import type { Logger } from '../../errors/logger.ts';
import type { LastingCgroup } from '../../sys/lasting-cgroup.ts';
import { spawnDetached } from '../../sys/spawn.ts';
import { LineReader } from '../names/control-messages.ts';
import { HelperProcess } from '../names/helper-process.ts';
import type { ControlAnswer, ControlRequest } from './control-messages.ts';
import { type PortHolder, PortTaken } from './port-holder.ts';
import { keyOf, type PortHolding } from './published-ports.ts';

const START_PATIENCE_MS = 5000;
const CALL_PATIENCE_MS = 10_000;

/** As Go says it, on which clients depend. */
const REASONS: Record<string, string> = {
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'cannot assign requested address',
  EACCES: 'permission denied',
  EPROTONOSUPPORT: 'protocol not supported',
  EAFNOSUPPORT: 'address family not supported by protocol',
  EMFILE: 'too many open files',
};

type Unnumbered<T> = T extends { id: number } ? Omit<T, 'id'> : never;

interface Waiting {
  resolve: (answer: ControlAnswer) => void;
  reject: (error: EngineError) => void;
}

/** The daemon's side of the helper process, found again by the socket in the exec root. */
export class ProcessPortHolder implements PortHolder {
  readonly #directory: string;
  readonly #path: string;
  readonly #logger: Logger;
  readonly #patienceMs: number;
  readonly #lasting: LastingCgroup | undefined;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #socket: Promise<Socket> | undefined;
  #lost: () => void = () => undefined;
  #closed = false;
  /** Found, and of a release that knows no shared ports. */
  #isOld = false;
  /** Found, and of a release that knows no routed ports, which need no socket: the next daemon will not find them there. */
  #knowsRouted = true;

  /** `patienceMs`: what has not answered a call by then is ended, and its work goes to another. */
  constructor(options: {
    directory: string;
    logger: Logger;
    lasting?: LastingCgroup | undefined;
    patienceMs?: number;
  }) {
    this.#patienceMs = options.patienceMs ?? CALL_PATIENCE_MS;
    this.#directory = options.directory;
    this.#path = join(options.directory, 'ports.sock');
    this.#logger = options.logger;
    this.#lasting = options.lasting;
  }

  async hold(holdings: readonly PortHolding[]): Promise<void> {
    if (this.#isOld && holdings.some(({ shared }) => shared === true))
      throw new EngineError(
        'unavailable',
        'The process that holds published ports is of an earlier release',
        {
          hint: 'It ends when no port is published: stop the containers that publish any, then start them again.',
        },
      );
    const known = this.#knowsRouted ? [...holdings] : holdings.filter(({ routed }) => routed !== true);
    if (known.length === 0) return;
    const { error } = await this.#call({ do: 'hold', holdings: known });
    const holding = error === undefined ? undefined : known[error.at];
    if (error !== undefined && holding !== undefined)
      throw new PortTaken(holding, { code: error.code, reason: REASONS[error.code] ?? error.code });
  }

  async drop(holdings: readonly PortHolding[]): Promise<void> {
    const [shared, own] = [
      holdings.filter((one) => one.shared === true),
      holdings.filter((one) => one.shared !== true),
    ];
    if (own.length > 0) await this.#call({ do: 'drop', keys: own.map(keyOf) });
    if (shared.length > 0) await this.#call({ do: 'leave', holdings: shared });
  }

  async find(): Promise<PortHolding[]> {
    const socket = await connectTo(this.#path).catch(() => undefined);
    if (socket === undefined) return [];
    this.#listen(socket);
    this.#socket = Promise.resolve(socket);
    const { held, shares, routes } = await this.#call({ do: 'list' });
    this.#isOld = shares !== true;
    this.#knowsRouted = routes === true;
    return held ?? [];
  }

  onLost(listener: () => void): void {
    this.#lost = listener;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const socket = await this.#socket?.catch(() => undefined);
    socket?.destroy();
    this.#fail(new EngineError('internal', 'The holder of published ports was closed'));
  }

  async #call(command: Unnumbered<ControlRequest>): Promise<ControlAnswer> {
    this.#socket ??= this.#open();
    const socket = await this.#socket;
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<ControlAnswer>();
    // What it has done of the call is unknown, and what it will yet do: only its end settles that.
    const timer = setTimeout(() => socket.destroy(), this.#patienceMs);
    this.#waiting.set(id, { resolve, reject });
    socket.write(`${JSON.stringify({ id, ...command })}\n`);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
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
    // Of one that was killed.
    await unlink(this.#path).catch(() => undefined);
    this.#isOld = false;
    this.#knowsRouted = true;
    const program = Bun.fileURLToPath(new URL('./serve-ports.ts', import.meta.url));
    const { pid } = spawnDetached([process.execPath, '--smol', program, this.#path], {
      stdio: ['ignore', 'ignore', 'ignore'],
      cwd: '/',
    });
    this.#lasting?.adopt(pid);
    this.#logger.debug('Started the holder of published ports', { pid });
    const endMs = performance.now() + START_PATIENCE_MS;
    for (;;) {
      const socket = await connectTo(this.#path).catch(() => undefined);
      if (socket !== undefined) return socket;
      if (performance.now() > endMs)
        throw new EngineError('internal', 'Cannot start the holder of published ports');
      await sleep(3);
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
        this.#logger.warn('Cannot read an answer of the holder of ports', { error: messageOf(error) });
        socket.destroy();
      }
    });
    socket.on('close', () => void this.#lose(helper));
  }

  /** Nobody is told before it is gone with all its sockets: the next one takes the same ports. */
  async #lose(helper: HelperProcess | undefined): Promise<void> {
    try {
      if (!this.#closed) await helper?.kill();
    } catch (error) {
      this.#logger.warn('Cannot end the holder of published ports', { error: messageOf(error) });
    }
    helper?.close();
    this.#socket = undefined;
    this.#fail(new EngineError('internal', 'The holder of published ports does not answer'));
    if (!this.#closed) this.#lost();
  }

  #answered(answer: ControlAnswer): void {
    this.#waiting.get(answer.id)?.resolve(answer);
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
