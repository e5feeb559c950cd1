import { TarReader } from '../../archive/tar-reader.ts';
import { TarWriter } from '../../archive/tar-writer.ts';
import type { ChainId } from '../../oci/digest.ts';
import { formatPlatform, type Platform } from '../../oci/platform.ts';
import { openTreeStream, type TreePorts } from './tree-output.ts';

/** `linux_arm64`: where a platform's files go when there are several. */
export function platformFolder(platform: Platform): string {
  return formatPlatform(platform).replaceAll('/', '_');
}

/** Several root file systems as one archive, each below its own folder; '' is the archive's root, where the last one wins. */
export function joinedTrees(
  trees: readonly { chain: ChainId | undefined; prefix: string }[],
  options: { ports: TreePorts; signal: AbortSignal },
): ReadableStream<Uint8Array> {
  return streamOf(pieces(trees, options));
}

async function* pieces(
  trees: readonly { chain: ChainId | undefined; prefix: string }[],
  options: { ports: TreePorts; signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  const writer = new TarWriter();
  for (const { chain, prefix } of trees) {
    if (prefix !== '') yield writer.header({ path: prefix, type: 'directory', mode: 0o755, size: 0 });
    const below = (path: string): string => (prefix === '' ? path : `${prefix}/${path}`);
    const held = await openTreeStream(chain, options);
    try {
      let out: Uint8Array[] = [];
      let isSkipped = false;
      const reader = new TarReader({
        entry: (entry) => {
          isSkipped = entry.path === '';
          if (isSkipped) return;
          const linkTarget = entry.type === 'hardlink' ? below(entry.linkTarget) : entry.linkTarget;
          out.push(writer.header({ ...entry, path: below(entry.path), linkTarget }));
        },
        data: (chunk) => {
          writer.content(chunk.length);
          out.push(chunk.slice());
        },
        endEntry: () => {
          if (!isSkipped) out.push(writer.padding());
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
  }
  yield writer.end();
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
