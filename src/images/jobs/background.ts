/** Work that goes on beside the main line, and must have ended, well, when that does. */
export class Background {
  readonly #work: Promise<unknown>[] = [];

  add(work: Promise<unknown>): void {
    work.catch(() => undefined);
    this.#work.push(work);
  }

  /** Wait for all of it. @throws the first failure. */
  async end(): Promise<void> {
    const results = await Promise.allSettled(this.#work);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }
}
