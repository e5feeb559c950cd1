import { setTimeout as sleep } from 'node:timers/promises';
import { connectDatagram, type DatagramSocket } from '../../../sys/datagram.ts';

const FULL_RETRY_MS = 10;
/** A receiver that takes nothing for so long counts as gone. */
const FULL_TIMEOUT_MS = 5000;

/** Messages to a datagram socket file, one each; a full receiver is waited for. */
export class DatagramSender {
  readonly #paths: readonly string[];
  #socket: DatagramSocket | undefined;

  /** The first of `paths` at which somebody listens. */
  constructor(paths: readonly string[]) {
    this.#paths = paths;
  }

  /** @throws SyscallError of the last path. */
  connect(): void {
    this.#socket ??= connectDatagram(this.#paths);
  }

  async send(message: Uint8Array): Promise<void> {
    const deadline = performance.now() + FULL_TIMEOUT_MS;
    try {
      this.connect();
      while (this.#socket?.send(message) === false) {
        if (performance.now() > deadline) throw new Error('the receiver takes no more');
        await sleep(FULL_RETRY_MS);
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }
}
