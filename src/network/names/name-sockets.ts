import { closeSync, fstatSync, openSync, statSync } from 'node:fs';
import type { EventLoop } from '../../sys/event-loop.ts';
import type { NamespaceVisitor } from '../../sys/netns.ts';
import {
  acceptFrom,
  bindSocket,
  closeSocket,
  listenOn,
  localPort,
  openSocket,
  receiveFrom,
  sendTo,
} from '../../sys/socket.ts';
import { FramedStream } from './framed-stream.ts';
import type { NamePorts } from './name-server.ts';
import { NAME_SERVER_ADDRESS } from './redirect-rules.ts';

export interface NameQuery {
  data: Buffer;
  protocol: 'udp' | 'tcp';
  reply: (answer: Buffer) => void;
}

const MAX_CONNECTIONS = 64;
const received = Buffer.allocUnsafe(64 << 10);

/** The sockets in one container's namespace. */
export class NameSockets {
  readonly ports: NamePorts;
  readonly #loop: EventLoop;
  readonly #namespaceFd: number;
  readonly #udp: number;
  readonly #tcp: number;
  /** Of the oldest that still asks first. */
  readonly #connections = new Set<FramedStream>();
  #isOpen = true;

  /** @throws SyscallError, and a system error when there is no such namespace. */
  constructor(options: {
    loop: EventLoop;
    visitor: NamespaceVisitor;
    namespacePath: string;
    onQuery: (query: NameQuery) => void;
  }) {
    const { loop, visitor, namespacePath, onQuery } = options;
    this.#loop = loop;
    this.#namespaceFd = openSync(namespacePath, 'r');
    const made: number[] = [];
    try {
      const open = (kind: 'udp' | 'tcp'): number => {
        const fd = openSocket(kind, 4);
        made.push(fd);
        bindSocket(fd, { address: NAME_SERVER_ADDRESS, port: 0 });
        return fd;
      };
      [this.#udp, this.#tcp] = visitor.visit(namespacePath, () => [open('udp'), open('tcp')] as const);
      listenOn(this.#tcp);
      this.ports = { udp: localPort(this.#udp), tcp: localPort(this.#tcp) };
      loop.watch(this.#udp, { readable: () => this.#receive(onQuery) });
      loop.watch(this.#tcp, { readable: () => this.#accept(onQuery) });
    } catch (error) {
      for (const fd of made) closeSocket(fd);
      closeSync(this.#namespaceFd);
      throw error;
    }
  }

  /** Whether these are in the namespace that is pinned there now. */
  isIn(namespacePath: string): boolean {
    try {
      const [own, there] = [fstatSync(this.#namespaceFd), statSync(namespacePath)];
      return own.dev === there.dev && own.ino === there.ino;
    } catch {
      return false;
    }
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const connection of this.#connections) connection.close();
    for (const fd of [this.#udp, this.#tcp]) {
      this.#loop.forget(fd);
      closeSocket(fd);
    }
    closeSync(this.#namespaceFd);
  }

  #receive(onQuery: (query: NameQuery) => void): void {
    const datagram = receiveFrom(this.#udp, received);
    if (datagram === undefined) return;
    const reply = (answer: Buffer): void => {
      if (this.#isOpen) sendTo(this.#udp, answer, datagram.from);
    };
    onQuery({ data: datagram.data, protocol: 'udp', reply });
  }

  #accept(onQuery: (query: NameQuery) => void): void {
    const fd = acceptFrom(this.#tcp);
    if (fd === undefined) return;
    const [oldest] = this.#connections;
    if (this.#connections.size >= MAX_CONNECTIONS && oldest !== undefined) {
      this.#connections.delete(oldest);
      oldest.close();
    }
    const stream = new FramedStream(this.#loop, fd, {
      connecting: false,
      handler: {
        message: (data) =>
          onQuery({ data: Buffer.from(data), protocol: 'tcp', reply: (answer) => stream.send(answer) }),
        closed: () => this.#connections.delete(stream),
      },
    });
    this.#connections.add(stream);
  }
}
