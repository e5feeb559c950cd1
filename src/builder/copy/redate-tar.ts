import { decompressDetected } from '../../archive/compression.ts';
import { TarReader } from '../../archive/tar-reader.ts';
import { TarWriter } from '../../archive/tar-writer.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { TarBuffer } from './tar-buffer.ts';

/** A layer's tar (compressed or not) with no time later than `latest`, seconds. @throws EngineError "invalid" for what no builder writes. */
export async function redateTar(
  { source, latest }: { source: string; latest: number },
  out: TarBuffer,
): Promise<void> {
  const writer = new TarWriter();
  let pieces: Uint8Array[] = [];
  const reader = new TarReader({
    entry: (entry) => {
      if (entry.sparse !== undefined) throw new EngineError('invalid', 'a built layer has no sparse members');
      const isLater = entry.mtimeSeconds >= latest;
      pieces.push(writer.header(isLater ? { ...entry, mtimeSeconds: latest, mtimeNanoseconds: 0 } : entry));
    },
    data: (chunk) => {
      writer.content(chunk.length);
      pieces.push(chunk);
    },
    endEntry: () => void pieces.push(writer.padding()),
  });
  const { stream } = await decompressDetected(Bun.file(source).stream());
  for await (const chunk of stream) {
    reader.write(chunk);
    for (const piece of pieces) await out.put(piece);
    pieces = [];
  }
  reader.finish();
  await out.put(writer.end());
}
