import type { ImageBackend } from '../../images/image-backend.ts';
import { parseReference, type Reference, withTag } from '../../oci/reference.ts';
import { compareApiVersions } from '../../wire/versions.ts';
import { type ApiRequest, boolParam, pathParam, textParam } from '../api-request.ts';
import type { ApiResponse } from '../api-response.ts';
import { toReadableStream } from '../body-stream.ts';
import { registryAccess } from '../decode/credentials.ts';
import { platformJson, platformParams } from '../decode/platform.ts';
import { encodeTransferLine } from '../encode/image.ts';
import { ProgressWriter } from '../progress-writer.ts';
import type { Route } from '../router.ts';
import type { Backends } from '../server-options.ts';

/** Images on their way: push, save, load. */
export function moveImageRoutes({ images }: Backends): Route[] {
  return [
    {
      method: 'GET',
      pattern: '/images/get',
      handler: (request, response) =>
        save(images, { names: request.query.getAll('names'), request, response }),
    },
    {
      method: 'GET',
      pattern: '/images/{*}/get',
      handler: (request, response) => save(images, { names: [pathParam(request)], request, response }),
    },
    {
      method: 'POST',
      pattern: '/images/load',
      handler: (request, response) => load(images, request, response),
    },
    {
      method: 'POST',
      pattern: '/images/{*}/push',
      handler: (request, response) => push(images, request, response),
    },
  ];
}

async function save(
  images: ImageBackend,
  { names, request, response }: { names: string[]; request: ApiRequest; response: ApiResponse },
): Promise<void> {
  const archive = await images.save({ names, platforms: platformParams(request) });
  const stream = response.stream(200, 'application/x-tar');
  for await (const chunk of archive) await stream.write(chunk);
  await stream.end();
}

async function load(images: ImageBackend, request: ApiRequest, response: ApiResponse): Promise<void> {
  const platforms = platformParams(request);
  const progress = new ProgressWriter(response);
  progress.open();
  try {
    await images.load(toReadableStream(request.body), {
      platforms,
      quiet: request.query.get('quiet') === null || boolParam(request, 'quiet'),
      signal: request.signal,
      progress: (line) => progress.write(encodeTransferLine(line)),
    });
    await progress.end();
  } catch (error) {
    await progress.fail(error, request.signal);
  }
}

async function push(images: ImageBackend, request: ApiRequest, response: ApiResponse): Promise<void> {
  const platform =
    compareApiVersions(request.version, '1.46') < 0 ? undefined : textParam(request, 'platform');
  const wanted = {
    reference: pushReference(request),
    platform: platform === undefined ? undefined : platformJson(platform),
    ...registryAccess(request),
  };
  const progress = new ProgressWriter(response);
  try {
    await images.push(wanted, {
      signal: request.signal,
      progress: (line) => progress.write(encodeTransferLine(line)),
    });
    await progress.end();
  } catch (error) {
    await progress.fail(error, request.signal);
  }
}

/** Without a tag all of the repository's are meant. */
function pushReference(request: ApiRequest): Reference {
  const reference = parseReference(pathParam(request));
  const tag = textParam(request, 'tag');
  return tag === undefined ? reference : withTag(reference, tag);
}
