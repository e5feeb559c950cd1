/** Those who wait for one transfer, or read what comes of it. When the last one leaves, it ends. */
export class Audience {
  readonly #controller = new AbortController();
  #seats = 0;

  /** Aborted when the transfer is to end. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** @returns to be called by whoever leaves; who goes away by `client` needs not. */
  join(client?: AbortSignal): () => void {
    this.#seats++;
    let seated = true;
    const leave = () => {
      if (!seated) return;
      seated = false;
      client?.removeEventListener('abort', leave);
      this.#seats--;
      if (this.#seats === 0) this.end(new Error('nobody reads the blob any more'));
    };
    client?.addEventListener('abort', leave);
    if (client?.aborted === true) leave();
    return leave;
  }

  end(reason: unknown): void {
    this.#controller.abort(reason);
  }
}
