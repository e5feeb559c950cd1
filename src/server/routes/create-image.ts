import { EngineError } from '../../errors/engine-error.ts';
import type { ImageBackend } from '../../images/image-backend.ts';
import { isDigest } from '../../oci/digest.ts';
import { parseReference, type Reference, withDigest, withTag } from '../../oci/reference.ts';
import { type ApiRequest, textParam } from '../api-request.ts';
import type { ApiResponse } from '../api-response.ts';
import { toReadableStream } from '../body-stream.ts';
import { registryAccess } from '../decode/credentials.ts';
import { platformParam } from '../decode/platform.ts';
import { encodeProgress } from '../encode/image.ts';
import { ProgressWriter } from '../progress-writer.ts';

/** `POST /images/create`: a pull (`fromImage`) or an import (`fromSrc`). */
export async function createImage(
  images: ImageBackend,
  request: ApiRequest,
  response: ApiResponse,
): Promise<void> {
  const fromImage = textParam(request, 'fromImage');
  if (fromImage !== undefined) await pull(images, request, response);
  else await importImage(images, request, response);
}

async function pull(images: ImageBackend, request: ApiRequest, response: ApiResponse): Promise<void> {
  const reference = pullReference(request);
  const platform = platformParam(request);
  const progress = new ProgressWriter(response);
  try {
    await images.pull(
      { reference, platform, ...registryAccess(request) },
      { signal: request.signal, progress: (line) => progress.write(encodeProgress(line)) },
    );
    await progress.end();
  } catch (error) {
    await progress.fail(error, request.signal);
  }
}

async function importImage(images: ImageBackend, request: ApiRequest, response: ApiResponse): Promise<void> {
  const from = request.query.get('fromSrc') ?? '';
  const options = {
    reference: importReference(request),
    message: textParam(request, 'message') ?? `Imported from ${from}`,
    changes: request.query.getAll('changes'),
    platform: platformParam(request),
    signal: request.signal,
  };
  const progress = new ProgressWriter(response);
  try {
    const archive =
      from === '-' ? toReadableStream(request.body) : await download(images, from, { request, progress });
    const digest = await images.importTar(archive, options);
    progress.write({ status: digest });
    await progress.end();
  } catch (error) {
    await progress.fail(error, request.signal);
  }
}

/** The archive at a URL, its bytes told as they come. */
async function download(
  images: ImageBackend,
  from: string,
  { request, progress }: { request: ApiRequest; progress: ProgressWriter },
): Promise<ReadableStream<Uint8Array>> {
  const { url, size, stream } = await images.openUrl(from, { signal: request.signal });
  progress.write({ status: `Downloading from ${url}` });
  let current = 0;
  const counted = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      current += chunk.length;
      progress.write(
        encodeProgress({ status: 'Importing', current, ...(size === undefined ? {} : { total: size }) }),
      );
      controller.enqueue(chunk);
    },
  });
  return stream.pipeThrough(counted);
}

function pullReference(request: ApiRequest): Reference {
  // `pull -a` of old clients leaves a colon behind.
  const reference = parseReference((textParam(request, 'fromImage') ?? '').replace(/:$/, ''));
  const tag = textParam(request, 'tag');
  if (tag === undefined) return reference;
  return isDigest(tag) ? withDigest(reference, tag) : withTag(reference, tag);
}

function importReference(request: ApiRequest): Reference | undefined {
  const repo = textParam(request, 'repo');
  if (repo === undefined) return undefined;
  const reference = parseReference(repo);
  if (reference.digest !== undefined) throw new EngineError('invalid', 'cannot import digest reference');
  return withTag(reference, textParam(request, 'tag') ?? reference.tag ?? 'latest');
}
