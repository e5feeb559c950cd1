import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const SUFFIX = '.json';

/** Small files on tmpfs, one a record, held in memory too: what must be known after the daemon died. */
export class RecordFolder<T> {
  readonly #directory: string;
  readonly #keyOf: (record: T) => string;
  readonly #records = new Map<string, T>();

  /** `decode` gives undefined for what is no record. */
  constructor(directory: string, keyOf: (record: T) => string, decode: (value: unknown) => T | undefined) {
    this.#directory = directory;
    this.#keyOf = keyOf;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(directory)) {
      const record = name.endsWith(SUFFIX) ? read(join(directory, name), decode) : undefined;
      if (record !== undefined) this.#records.set(keyOf(record), record);
    }
  }

  add(record: T): void {
    // Somebody may have cleared the exec root under the daemon: starts go on.
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const key = this.#keyOf(record);
    writeFileSync(this.#path(key), JSON.stringify(record), { mode: 0o600 });
    this.#records.set(key, record);
  }

  get(key: string): T | undefined {
    return this.#records.get(key);
  }

  remove(key: string): void {
    rmSync(this.#path(key), { force: true });
    this.#records.delete(key);
  }

  list(): T[] {
    return [...this.#records.values()];
  }

  #path(key: string): string {
    return join(this.#directory, `${key}${SUFFIX}`);
  }
}

/** Undefined when it cannot be read, e.g. cut off by a crash while it was written: then nothing had been started yet. */
function read<T>(path: string, decode: (value: unknown) => T | undefined): T | undefined {
  try {
    return decode(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return undefined;
  }
}
