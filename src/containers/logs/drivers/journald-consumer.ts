import { EngineError } from '../../../errors/engine-error.ts';
import type { LogLine } from '../../container-backend.ts';
import { DatagramSender } from './datagram-socket.ts';
import { journaldMessage } from './journald-message.ts';
import type { LogConsumer, LogOrigin } from './log-consumer.ts';

export const JOURNALD_SOCKET = '/run/systemd/journal/socket';

/** A container's lines as entries of the system's journal. */
export class JournaldConsumer implements LogConsumer {
  readonly #origin: LogOrigin;
  readonly #sender: DatagramSender;

  constructor(origin: LogOrigin, path = JOURNALD_SOCKET) {
    this.#origin = origin;
    this.#sender = new DatagramSender([path]);
  }

  /** @throws EngineError "invalid" in Docker's words where there is no journald. */
  check(): void {
    try {
      this.#sender.connect();
    } catch (error) {
      throw new EngineError('invalid', 'journald is not enabled on this host', { cause: error });
    }
  }

  async send(lines: readonly LogLine[]): Promise<void> {
    for (const line of lines) {
      const message = journaldMessage(line, this.#origin);
      if (message !== undefined) await this.#sender.send(message);
    }
  }

  close(): void {
    this.#sender.close();
  }
}
