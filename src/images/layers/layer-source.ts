/** Why a layer could not be unpacked. */
export interface Failure {
  error: unknown;
  /** Not the content's fault: no use in reading on. */
  fatal: boolean;
}

/** The compressed bytes as a stream that a decoder may drop at any time, while the generator behind it can be read on. */
export class LayerSource {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #bytes: AsyncGenerator<Uint8Array>;
  #reading: Promise<void> = Promise.resolve();
  #failure: Failure | undefined;
  #dropped = false;

  constructor(bytes: AsyncGenerator<Uint8Array>) {
    this.#bytes = bytes;
    this.stream = new ReadableStream<Uint8Array>(
      {
        pull: (controller) => {
          this.#reading = this.#read(controller);
          return this.#reading;
        },
        cancel: () => {
          this.#dropped = true;
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** What went wrong in the source itself, once it has come to rest. */
  async failure(): Promise<Failure | undefined> {
    await this.#reading;
    return this.#failure;
  }

  async #read(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    try {
      const next = await this.#bytes.next();
      if (this.#dropped) return;
      if (next.done === true) controller.close();
      else controller.enqueue(next.value);
    } catch (error) {
      this.#failure = { error, fatal: true };
      if (!this.#dropped) controller.error(error);
    }
  }
}
