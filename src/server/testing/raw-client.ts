import { connect, type Socket } from 'node:net';

const STEP_MS = 10_000;

/** A client that speaks bytes, so that tests decide when it reads, half-closes or vanishes. */
export class RawClient {
  readonly socket: Socket;
  #chunks: Buffer[] = [];
  #ended = false;
  #closed = false;
  #wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#wake();
    });
    socket.on('end', () => {
      this.#ended = true;
      this.#wake();
    });
    socket.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
    socket.on('error', () => undefined);
  }

  static connect(path: string): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ path, allowHalfOpen: true });
      socket.once('error', reject);
      socket.once('connect', () => resolve(new RawClient(socket)));
    });
  }

  /** Everything that came so far. */
  get text(): string {
    return this.bytes.toString('latin1');
  }

  get bytes(): Buffer {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  get ended(): boolean {
    return this.#ended;
  }

  send(text: string | Uint8Array): void {
    this.socket.write(text);
  }

  /** Wait until what came holds `text`. */
  async until(text: string): Promise<string> {
    await this.#settle(() => this.text.includes(text), `"${text}"`);
    return this.text;
  }

  async untilEnd(): Promise<string> {
    await this.#settle(() => this.#ended || this.#closed, 'the end');
    return this.text;
  }

  async #settle(isDone: () => boolean, what: string): Promise<void> {
    const deadline = Date.now() + STEP_MS;
    while (!isDone()) {
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`waited for ${what}, got ${JSON.stringify(this.text.slice(0, 2000))}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}

/** The head of a request, `Host` included. */
export function head(method: string, path: string, headers: Record<string, string> = {}): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\nHost: docker\r\n${lines.join('')}\r\n`;
}

export const UPGRADE = { Connection: 'Upgrade', Upgrade: 'tcp', 'Content-Length': '0' };
