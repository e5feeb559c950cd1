import type { EventLoop } from '../../sys/event-loop.ts';
import { closeSocket, connectSocket, openSocket, receiveSome, sendSome } from '../../sys/socket.ts';
import { servfail } from './answer-query.ts';
import { FramedStream } from './framed-stream.ts';

export interface ForwardRequest {
  query: Buffer;
  protocol: 'udp' | 'tcp';
  servers: readonly string[];
  /** Makes sockets where the query is to leave from. */
  inNetwork: <T>(open: () => T) => T;
  /** Called once. */
  reply: (answer: Buffer) => void;
}

interface Attempt {
  deadlineMs: number;
  /** Give it up, and go on to the next server. */
  fail: () => void;
}

const MAX_IN_FLIGHT = 1024;
const MAX_SERVERS = 3;
/** Of one server; stub resolvers wait 5 s for all. */
const PATIENCE_MS = { udp: 2000, tcp: 4000 };
const DNS_PORT = 53;
const received = Buffer.allocUnsafe(64 << 10);

/**
 * Asks the servers of outside, one after the other until one answers. Each attempt has a socket of its own, bound to its server by the kernel:
 * a forged answer would have to guess port and id.
 */
export class Forwarder {
  readonly #loop: EventLoop;
  readonly #attempts = new Set<Attempt>();

  constructor(loop: EventLoop) {
    this.#loop = loop;
  }

  ask(request: ForwardRequest): void {
    if (this.#attempts.size >= MAX_IN_FLIGHT) return request.reply(servfail(request.query));
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
    if (server === undefined) return request.reply(servfail(request.query));
    try {
      if (request.protocol === 'udp') this.#tryUdp(request, server, at);
      else this.#tryTcp(request, server, at);
    } catch {
      // No route, no such family here, or no descriptor left.
      this.#try(request, at + 1);
    }
  }

  #tryUdp(request: ForwardRequest, server: string, at: number): void {
    const fd = opened(request, server);
    const attempt = this.#begin(request, at, () => {
      this.#loop.forget(fd);
      closeSocket(fd);
    });
    const readable = (): void => {
      const answer = receiveSome(fd, received);
      if (answer === 'later') return;
      if (answer === undefined) return attempt.fail();
      if (isAnswerTo(request.query, answer)) attempt.succeed(answer);
    };
    this.#loop.watch(fd, { readable });
    if (sendSome(fd, request.query) === undefined) attempt.fail();
  }

  #tryTcp(request: ForwardRequest, server: string, at: number): void {
    const fd = opened(request, server);
    const attempt = this.#begin(request, at, () => stream.close());
    const stream = new FramedStream(this.#loop, fd, {
      connecting: true,
      handler: {
        message: (answer) => {
          if (isAnswerTo(request.query, answer)) attempt.succeed(answer);
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
  ): { fail: () => void; succeed: (answer: Buffer) => void } {
    const end = (): boolean => {
      if (!this.#attempts.delete(attempt)) return false;
      close();
      return true;
    };
    const fail = (): void => {
      if (end()) this.#try(request, at + 1);
    };
    const succeed = (answer: Buffer): void => {
      if (end()) request.reply(answer);
    };
    const attempt: Attempt = { deadlineMs: performance.now() + PATIENCE_MS[request.protocol], fail };
    this.#attempts.add(attempt);
    return { fail, succeed };
  }
}

function opened({ protocol, inNetwork }: ForwardRequest, server: string): number {
  const fd = inNetwork(() => openSocket(protocol, server.includes(':') ? 6 : 4));
  try {
    connectSocket(fd, { address: server, port: DNS_PORT });
    return fd;
  } catch (error) {
    closeSocket(fd);
    throw error;
  }
}

/** Same id, and an answer at all. */
function isAnswerTo(query: Buffer, answer: Buffer): boolean {
  return answer.length >= 12 && answer.readUInt16BE(0) === query.readUInt16BE(0) && (answer[2] ?? 0) >= 0x80;
}
