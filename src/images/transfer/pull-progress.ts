import type { Descriptor } from '../../oci/descriptor.ts';
import { hexOf } from '../../oci/digest.ts';
import { familiarName, type Reference } from '../../oci/reference.ts';
import type { PullProgress } from '../image-backend.ts';
import type { FetchProgress } from '../layers/layer-fetches.ts';

/** Docker's words for a layer on its way. */
export class LayerLines {
  readonly #id: string;
  readonly #total: number;
  readonly #emit: (line: PullProgress) => void;
  #downloaded = false;

  constructor(descriptor: Descriptor, emit: (line: PullProgress) => void) {
    this.#id = hexOf(descriptor.digest).slice(0, 12);
    this.#total = descriptor.size;
    this.#emit = emit;
  }

  exists(): void {
    this.#say('Already exists');
  }

  begins(): void {
    this.#say('Pulling fs layer');
  }

  tell({ phase, current }: FetchProgress): void {
    switch (phase) {
      case 'waiting':
        this.#say('Waiting');
        break;
      case 'downloading':
        this.#emit({ id: this.#id, status: 'Downloading', current, total: this.#total });
        break;
      case 'verifying':
        this.#say('Verifying Checksum');
        break;
      case 'downloaded':
        this.#complete();
        break;
      case 'extracting':
        this.#complete();
        this.#emit({ id: this.#id, status: 'Extracting', current, total: this.#total });
        break;
      case 'complete':
        this.#say('Pull complete');
        break;
    }
  }

  #complete(): void {
    if (!this.#downloaded) this.#say('Download complete');
    this.#downloaded = true;
  }

  #say(status: string): void {
    this.#emit({ id: this.#id, status });
  }
}

/** `Status: …`, the last line of a pull. */
export function statusLine(reference: Reference, isNew: boolean): string {
  const name = familiarName(reference);
  return isNew ? `Status: Downloaded newer image for ${name}` : `Status: Image is up to date for ${name}`;
}
