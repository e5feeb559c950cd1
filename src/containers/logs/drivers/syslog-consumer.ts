import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { readFile, stat } from 'node:fs/promises';
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { EngineError, messageOf } from '../../../errors/engine-error.ts';
import type { LogLine } from '../../container-backend.ts';
import { DatagramSender } from './datagram-socket.ts';
import type { LogConsumer } from './log-consumer.ts';
import { syslogMessage } from './syslog-message.ts';
import type { SyslogOptions } from './syslog-options.ts';

const LOCAL_SOCKETS = ['/dev/log', '/var/run/syslog', '/var/run/log'];
const CONNECT_MS = 10_000;
const NEWLINE = 0x0a;

/** Takes messages one by one, in order. */
interface Sender {
  send(message: Uint8Array): Promise<void>;
  close(): void;
}

/** A container's lines as syslog messages. A connection that breaks is made anew by the next `send`. */
export class SyslogConsumer implements LogConsumer {
  readonly #options: SyslogOptions;
  readonly #tag: string;
  #sender: Sender | undefined;

  private constructor(options: SyslogOptions, tag: string) {
    this.#options = options;
    this.#tag = tag;
  }

  /** @throws EngineError when nobody listens, as Docker says it. */
  static async open(options: SyslogOptions, tag: string): Promise<SyslogConsumer> {
    const consumer = new SyslogConsumer(options, tag);
    consumer.#sender = await openSender(options);
    return consumer;
  }

  /** Without looking whether anybody listens. */
  static later(options: SyslogOptions, tag: string): SyslogConsumer {
    return new SyslogConsumer(options, tag);
  }

  async send(lines: readonly LogLine[]): Promise<void> {
    try {
      this.#sender ??= await openSender(this.#options);
      const messages = lines.filter(hasText).map((line) => syslogMessage(line, this.#tag, this.#options));
      if (messages.length === 0) return;
      const { kind } = this.#options.address;
      const isStream = this.#sender instanceof StreamSender || kind === 'tcp' || kind === 'tcp+tls';
      if (isStream) await this.#sender.send(Buffer.concat(messages));
      else for (const message of messages) await this.#sender.send(message);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    this.#sender?.close();
    this.#sender = undefined;
  }
}

/** As Docker, which sends no empty lines. */
function hasText({ data }: LogLine): boolean {
  return data.length > 1 || (data.length === 1 && data[0] !== NEWLINE);
}

async function openSender(options: SyslogOptions): Promise<Sender> {
  const { address } = options;
  switch (address.kind) {
    case 'local':
      return await openLocal();
    case 'unixgram':
      return datagram([address.path]);
    case 'unix':
      return (await isStreamSocket(address.path))
        ? await StreamSender.open(() => connect(address.path))
        : datagram([address.path]);
    case 'udp':
      return await UdpSender.open(address);
    case 'tcp':
      return await StreamSender.open(() => connect(address.port, address.host), address);
    case 'tcp+tls': {
      const tls = await tlsOptions(options.tls);
      return await StreamSender.open(
        () => connectTls({ host: address.host, port: address.port, ...serverName(address.host), ...tls }),
        address,
      );
    }
  }
}

async function openLocal(): Promise<Sender> {
  try {
    return datagram(LOCAL_SOCKETS);
  } catch (error) {
    for (const path of LOCAL_SOCKETS) {
      const sender = await StreamSender.open(() => connect(path)).catch(() => undefined);
      if (sender !== undefined) return sender;
    }
    throw new EngineError('invalid', 'Unix syslog delivery error', { cause: error });
  }
}

function datagram(paths: readonly string[]): Sender {
  const sender = new DatagramSender(paths);
  sender.connect();
  return sender;
}

/** A socket file doesn't tell its type: what no datagram can be sent to is a stream. */
async function isStreamSocket(path: string): Promise<boolean> {
  await stat(path);
  try {
    new DatagramSender([path]).connect();
    return false;
  } catch {
    return true;
  }
}

function serverName(host: string): { servername?: string } {
  return isIP(host) === 0 ? { servername: host } : {};
}

async function tlsOptions({ caCert, cert, key, verify }: SyslogOptions['tls']): Promise<object> {
  const [ca, certificate, privateKey] = await Promise.all(
    [caCert, cert, key].map(async (path) => (path === undefined ? undefined : await readFile(path))),
  );
  return {
    rejectUnauthorized: verify,
    ...(ca === undefined ? {} : { ca }),
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(privateKey === undefined ? {} : { key: privateKey }),
  };
}

class UdpSender implements Sender {
  readonly #socket: UdpSocket;

  private constructor(socket: UdpSocket) {
    this.#socket = socket;
  }

  static async open({ host, port }: { host: string; port: number }): Promise<UdpSender> {
    const socket = createSocket(isIP(host) === 6 ? 'udp6' : 'udp4');
    // A refusal comes as an error of a later message: nobody may be there yet, as syslog has it.
    socket.on('error', () => undefined);
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.connect(port, host || '127.0.0.1', () => resolve());
    });
    return new UdpSender(socket);
  }

  async send(message: Uint8Array): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#socket.send(message, () => resolve());
    });
  }

  close(): void {
    this.#socket.close();
  }
}

class StreamSender implements Sender {
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  static async open(
    dial: () => Socket,
    address?: { kind: string; host: string; port: number },
  ): Promise<StreamSender> {
    const socket = dial();
    const ready = address?.kind === 'tcp+tls' ? 'secureConnect' : 'connect';
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once(ready, () => resolve());
        socket.once('error', reject);
        socket.setTimeout(CONNECT_MS, () => reject(new Error('i/o timeout')));
      });
    } catch (error) {
      socket.destroy();
      throw address === undefined ? error : dialError(address, error);
    }
    socket.setTimeout(0);
    socket.on('error', () => undefined);
    // What it says is nothing to us; its end is noticed by reading.
    socket.resume();
    return new StreamSender(socket);
  }

  async send(message: Uint8Array): Promise<void> {
    if (this.#socket.destroyed || !this.#socket.writable) throw new Error('the connection has ended');
    await new Promise<void>((resolve, reject) => {
      const onClose = () => reject(new Error('the connection has ended'));
      this.#socket.once('close', onClose);
      this.#socket.write(message, (error) => {
        this.#socket.off('close', onClose);
        if (error) reject(error);
        else resolve();
      });
    });
  }

  close(): void {
    this.#socket.end();
  }
}

function dialError({ host, port }: { host: string; port: number }, cause: unknown): EngineError {
  const text = messageOf(cause);
  const why = /ECONNREFUSED|refused|Failed to connect/i.test(text) ? 'connect: connection refused' : text;
  return new EngineError('invalid', `dial tcp ${host}:${port}: ${why}`, { cause });
}
