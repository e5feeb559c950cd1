import { messageOf } from '../errors/engine-error.ts';
import type { ProgressMessage } from '../wire/image.ts';
import type { ApiResponse } from './api-response.ts';
import type { ResponseStream } from './response-stream.ts';

/** Progress lines; the answer's head waits for the first, so that an early failure has its own status. */
export class ProgressWriter {
  readonly #response: ApiResponse;
  #stream: ResponseStream | undefined;

  constructor(response: ApiResponse) {
    this.#response = response;
  }

  /** While the client doesn't read, lines that only count bytes are dropped, since later ones say more. */
  write(line: ProgressMessage): void {
    const stream = this.open();
    if (stream.congested && line.progress !== undefined) return;
    stream.writeJson(line).catch(() => undefined);
  }

  /** What the client has not taken yet. */
  get waitingBytes(): number {
    return this.#stream?.waitingBytes ?? 0;
  }

  /** The same at the client's own pace: resolves when there is room for more, or nobody is there any more. */
  async writeWhenRead(line: ProgressMessage): Promise<void> {
    await this.open()
      .writeJson(line)
      .catch(() => undefined);
  }

  async end(): Promise<void> {
    await this.open().end();
  }

  /** @throws the error itself while there is no answer yet; afterwards it is the stream's last line. */
  async fail(error: unknown, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    if (this.#stream === undefined) throw error;
    const message = messageOf(error);
    const code = exitCodeOf(error);
    this.write({ errorDetail: { ...(code === undefined ? {} : { code }), message }, error: message });
    await this.end();
  }

  /** Begin the answer, as some do whatever comes of it. */
  open(): ResponseStream {
    this.#stream ??= this.#response.stream(200, 'application/json');
    return this.#stream;
  }
}

/** The code of the command that failed, where that was it. */
function exitCodeOf(error: unknown): number | undefined {
  return error instanceof Error && 'exitCode' in error && typeof error.exitCode === 'number'
    ? error.exitCode
    : undefined;
}
