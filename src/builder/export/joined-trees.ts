import type { TarEntry } from '../../archive/entry.ts';
import { comparePathBytes } from '../../archive/path-bytes.ts';
import { TarReader } from '../../archive/tar-reader.ts';
import { TarWriter } from '../../archive/tar-writer.ts';
import type { ChainId, Digest } from '../../oci/digest.ts';
import { formatPlatform, type Platform } from '../../oci/platform.ts';
import type { AttestedFile } from '../attest/statement.ts';
import { openTreeStream, type TreePorts } from './tree-output.ts';

/** `linux_arm64`: where a platform's files go when there are several. */
export function platformFolder(platform: Platform): string {
  return formatPlatform(platform).replaceAll('/', '_');
}

/** A root file system among others. */
export interface JoinedTree {
  chain: ChainId | undefined;
  /** Its folder; '' is the archive's root. */
  prefix: string;
  /** What is said of its files, as files beside them. */
  attest: ((files: readonly AttestedFile[]) => Promise<readonly NamedDocument[]>) | undefined;
}

export interface JoinOptions {
  ports: TreePorts;
  /** Seconds: the time of every file. Undefined: its own. */
  epoch: number | undefined;
  signal: AbortSignal;
}

export interface NamedDocument {
  name: string;
  bytes: Uint8Array;
}

/** Several root file systems as one archive, each below its own folder; where they have one folder the last one wins. */
export function joinedTrees(trees: readonly JoinedTree[], options: JoinOptions): ReadableStream<Uint8Array> {
  return streamOf(pieces(trees, options));
}

async function* pieces(trees: readonly JoinedTree[], options: JoinOptions): AsyncGenerator<Uint8Array> {
  const writer = new TarWriter();
  const { epoch } = options;
  const time = epoch === undefined ? {} : { mtimeSeconds: epoch, mtimeNanoseconds: 0 };
  for (const { chain, prefix, attest } of trees) {
    if (prefix !== '')
      yield writer.header({ path: prefix, type: 'directory', mode: 0o755, size: 0, ...time });
    const below = (path: string): string => (prefix === '' ? path : `${prefix}/${path}`);
    const digests = attest === undefined ? undefined : new FileDigests();
    const held = await openTreeStream(chain, options);
    try {
      let out: Uint8Array[] = [];
      let isSkipped = false;
      const reader = new TarReader({
        entry: (entry) => {
          isSkipped = entry.path === '';
          if (isSkipped) return;
          digests?.begin(entry);
          const linkTarget = entry.type === 'hardlink' ? below(entry.linkTarget) : entry.linkTarget;
          out.push(writer.header({ ...entry, path: below(entry.path), linkTarget, ...time }));
        },
        data: (chunk) => {
          writer.content(chunk.length);
          digests?.take(chunk);
          out.push(chunk.slice());
        },
        endEntry: () => {
          if (isSkipped) return;
          digests?.end();
          out.push(writer.padding());
        },
      });
      for await (const chunk of held.stream) {
        reader.write(chunk);
        const made = out;
        out = [];
        yield* made.filter(({ length }) => length > 0);
      }
      reader.finish();
    } finally {
      await held.release();
    }
    for (const { name, bytes } of (await attest?.(digests?.files ?? [])) ?? []) {
      yield writer.header({ path: below(name), type: 'file', mode: 0o600, size: bytes.length, ...time });
      writer.content(bytes.length);
      yield bytes;
      yield writer.padding();
    }
  }
  yield writer.end();
}

/** What the files of an archive are, while it goes by. */
class FileDigests {
  readonly #byName = new Map<string, Digest>();
  #now: { name: string; hasher: Bun.CryptoHasher } | undefined;

  /** By their names. */
  get files(): AttestedFile[] {
    return [...this.#byName]
      .map(([name, digest]) => ({ name, digest }))
      .sort((a, b) => comparePathBytes(a.name, b.name));
  }

  begin({ path, type, linkTarget }: TarEntry): void {
    this.#now = type === 'file' ? { name: path, hasher: new Bun.CryptoHasher('sha256') } : undefined;
    const linked = type === 'hardlink' ? this.#byName.get(linkTarget) : undefined;
    if (linked !== undefined) this.#byName.set(path, linked);
  }

  take(chunk: Uint8Array): void {
    this.#now?.hasher.update(chunk as Uint8Array<ArrayBuffer>);
  }

  end(): void {
    if (this.#now !== undefined)
      this.#byName.set(this.#now.name, `sha256:${this.#now.hasher.digest('hex')}` as Digest);
    this.#now = undefined;
  }
}

/** One pull of the stream is one step of the generator; cancelled, it is ended. */
export function streamOf(pieces: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = pieces[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await iterator.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await iterator.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}
