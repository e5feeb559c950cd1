import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { type Digest, parseDigest } from '../../oci/digest.ts';
import type { CompressedBlob } from './file-job.ts';

/**
 * A compressed blob under way. Each piece is a gzip member, or a zstd frame, of its own, made in one go: several times the speed of zlib's default for 4 % more
 * bytes. The pieces are cut by their size alone, so the same tar gives the same blob.
 */
export class CompressedFile {
  readonly #fd: number;
  readonly #hash = new Bun.CryptoHasher('sha256');
  readonly #compress: (piece: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;
  #size = 0;
  #isOpen = true;

  constructor(path: string, { compression, level = 1 }: { compression: 'gzip' | 'zstd'; level?: number }) {
    this.#compress =
      compression === 'gzip'
        ? (piece) => Bun.gzipSync(piece, { level: level as 1, library: 'libdeflate' })
        : (piece) => Bun.zstdCompressSync(piece, { level }) as Uint8Array<ArrayBuffer>;
    this.#fd = openSync(path, 'wx', 0o600);
  }

  write(piece: Uint8Array): void {
    const bytes = this.#compress(piece as Uint8Array<ArrayBuffer>);
    this.#hash.update(bytes);
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
    this.#size += bytes.length;
  }

  finish(): CompressedBlob {
    fdatasyncSync(this.#fd);
    this.close();
    const digest: Digest = parseDigest(`sha256:${this.#hash.digest('hex')}`);
    return { digest, size: this.#size };
  }

  close(): void {
    if (this.#isOpen) closeSync(this.#fd);
    this.#isOpen = false;
  }
}
