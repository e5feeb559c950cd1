import { demultiplex } from '../demultiplex.ts';
import type { HijackedConnection } from '../transport.ts';
import { Output, terminalParts } from './output.ts';

const encoder = new TextEncoder();

/** A container's or a command's streams: its output, and what it reads. */
export class Attachment extends Output {
  readonly #connection: HijackedConnection;

  constructor(connection: HijackedConnection, options: { tty: boolean }) {
    super(options.tty ? terminalParts(connection.input) : demultiplex(connection.input));
    this.#connection = connection;
  }

  /** Send to its stdin; resolves when there is room for more. */
  async write(data: string | Uint8Array): Promise<void> {
    await this.#connection.write(typeof data === 'string' ? encoder.encode(data) : data);
  }

  /** The end of its stdin; output goes on. */
  async end(data?: string | Uint8Array): Promise<void> {
    if (data !== undefined) await this.write(data);
    await this.#connection.closeWrite();
  }

  /** Let go; what runs goes on. */
  close(): void {
    this.#connection.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
