import type { EventLoop } from '../../sys/event-loop.ts';
import {
  closeSocket,
  connectSocket,
  openSocket,
  receiveSome,
  type SocketAddress,
  sendSome,
} from '../../sys/socket.ts';
import { servfail } from './answer-query.ts';
import { fitted, isAnswerTo, isTruncated } from './check-answer.ts';
import { FramedStream } from './framed-stream.ts';

export interface ForwardRequest {
  /** Who asks: none has more than a part of what may be under way. */
  asker: string;
  query: Buffer;
  protocol: 'udp' | 'tcp';
  /** How long an answer the asker takes. */
  limitBytes: number;
  servers: readonly string[];
  /** Makes sockets where the query is to leave from. */
  inNetwork: <T>(open: () => T) => T;
  /** The answer when no server has one; default: SERVFAIL. */
  otherwise?: Buffer;
  /** Called once. */
  reply: (answer: Buffer) => void;
}

interface Attempt {
  deadlineMs: number;
  /** Give it up, and go on to the next server. */
  fail: () => void;
}

/** Of all askers, and of one. */
const MAX_IN_FLIGHT = 2048;
const MAX_OF_ONE = 256;
const MAX_SERVERS = 3;
/** Of one server; stub resolvers wait 5 s for all. */
const PATIENCE_MS = { udp: 2000, tcp: 4000 };
const DNS_PORT = 53;
/** What fits behind a length of two bytes. */
const MAX_BYTES = 65_535;
const received = Buffer.allocUnsafe(64 << 10);

/**
 * Asks the servers of outside, one after the other until one answers. Each attempt has a socket of its own, bound to its server by the kernel:
 * a forged answer would have to guess port and id. An answer that a server has cut is asked for again by TCP, and goes to the asker whole
 * where it takes that much; else it is told of the cut and asks by TCP itself.
 */
export class Forwarder {
  readonly #loop: EventLoop;
  readonly #port: number;
  readonly #attempts = new Set<Attempt>();
  /** How many of them are whose. */
  readonly #counts = new Map<string, number>();

  /** `port`: of the servers. */
  constructor(loop: EventLoop, { port = DNS_PORT }: { port?: number } = {}) {
    this.#loop = loop;
    this.#port = port;
  }

  ask(request: ForwardRequest): void {
    const isFull =
      this.#attempts.size >= MAX_IN_FLIGHT || (this.#counts.get(request.asker) ?? 0) >= MAX_OF_ONE;
    if (isFull) return request.reply(servfail(request.query));
    this.#try(request, 0);
  }

  /** How long nothing is due; undefined: nothing is. */
  dueInMs(nowMs: number): number | undefined {
    let due: number | undefined;
    for (const { deadlineMs } of this.#attempts) due = Math.min(due ?? deadlineMs, deadlineMs);
    return due === undefined ? undefined : Math.max(0, due - nowMs);
  }

  expire(nowMs: number): void {
    for (const attempt of this.#attempts) if (attempt.deadlineMs <= nowMs) attempt.fail();
  }

  #try(request: ForwardRequest, at: number): void {
    const server = request.servers.slice(0, MAX_SERVERS)[at];
    if (server === undefined) return request.reply(request.otherwise ?? servfail(request.query));
    try {
      if (request.protocol === 'udp') this.#tryUdp(request, server, at);
      else this.#tryTcp(request, server, at);
    } catch {
      // No route, no such family here, or no descriptor left.
      this.#try(request, at + 1);
    }
  }

  #tryUdp(request: ForwardRequest, server: string, at: number): void {
    const fd = opened(request, { address: server, port: this.#port });
    const attempt = this.#begin(request, at, () => {
      this.#loop.forget(fd);
      closeSocket(fd);
    });
    const readable = (): void => {
      const answer = receiveSome(fd, received);
      if (answer === 'later') return;
      if (answer === undefined) return attempt.fail();
      if (!isAnswerTo(request.query, answer)) return;
      const copy = Buffer.from(answer);
      if (isTruncated(copy)) attempt.retry(() => this.#askWhole(request, server, copy));
      else attempt.succeed(copy);
    };
    this.#loop.watch(fd, { readable });
    if (sendSome(fd, request.query) === undefined) attempt.fail();
  }

  /** `answer`: what the server has said by UDP. The asker hears that should this fail, or bring more than it takes. */
  #askWhole(request: ForwardRequest, server: string, answer: Buffer): void {
    const cut = fitted(answer, request.limitBytes);
    const whole: ForwardRequest = {
      ...request,
      protocol: 'tcp',
      limitBytes: MAX_BYTES,
      servers: [server],
      otherwise: cut,
      reply: (all) => request.reply(all.length > request.limitBytes ? cut : all),
    };
    this.#try(whole, 0);
  }

  #tryTcp(request: ForwardRequest, server: string, at: number): void {
    const fd = opened(request, { address: server, port: this.#port });
    const attempt = this.#begin(request, at, () => stream.close());
    const stream = new FramedStream(this.#loop, fd, {
      connecting: true,
      handler: {
        message: (answer) => {
          if (isAnswerTo(request.query, answer)) attempt.succeed(Buffer.from(answer));
          else attempt.fail();
        },
        closed: () => attempt.fail(),
      },
    });
    stream.send(request.query);
  }

  #begin(
    request: ForwardRequest,
    at: number,
    close: () => void,
  ): { fail: () => void; succeed: (answer: Buffer) => void; retry: (again: () => void) => void } {
    const end = (): boolean => {
      if (!this.#attempts.delete(attempt)) return false;
      this.#count(request.asker, -1);
      close();
      return true;
    };
    const fail = (): void => {
      if (end()) this.#try(request, at + 1);
    };
    const succeed = (answer: Buffer): void => {
      if (end()) request.reply(fitted(answer, request.limitBytes));
    };
    const retry = (again: () => void): void => {
      if (end()) again();
    };
    const attempt: Attempt = { deadlineMs: performance.now() + PATIENCE_MS[request.protocol], fail };
    this.#attempts.add(attempt);
    this.#count(request.asker, 1);
    return { fail, succeed, retry };
  }

  #count(asker: string, change: 1 | -1): void {
    const count = (this.#counts.get(asker) ?? 0) + change;
    if (count === 0) this.#counts.delete(asker);
    else this.#counts.set(asker, count);
  }
}

function opened({ protocol, inNetwork }: ForwardRequest, to: SocketAddress): number {
  const fd = inNetwork(() => openSocket(protocol, to.address.includes(':') ? 6 : 4));
  try {
    connectSocket(fd, to);
    return fd;
  } catch (error) {
    closeSocket(fd);
    throw error;
  }
}
