import { EngineError } from '../../errors/engine-error.ts';
import { boolParam, pathParam, textParam } from '../api-request.ts';
import type { ApiResponse } from '../api-response.ts';
import { platformParam } from '../decode/platform.ts';
import type { Route } from '../router.ts';
import type { Backends } from '../server-options.ts';

/** Looks into images. Sampan's own. */
export function exploreImageRoutes({ images }: Backends): Route[] {
  return [
    {
      method: 'GET',
      pattern: '/images/{*}/layers',
      handler: async (request, response) => {
        const platform = platformParam(request);
        const withFiles = boolParam(request, 'files');
        const { signal } = request;
        await sendJson(await images.layers(pathParam(request), { platform, withFiles, signal }), response);
      },
    },
    {
      method: 'GET',
      pattern: '/images/{*}/diff',
      handler: async (request, response) => {
        const to = textParam(request, 'to');
        if (to === undefined) throw new EngineError('invalid', "to is missing: expected an image's name");
        const platform = platformParam(request);
        const { signal } = request;
        await sendJson(await images.diff(pathParam(request), { to, platform, signal }), response);
      },
    },
  ];
}

async function sendJson(pieces: readonly Uint8Array[], response: ApiResponse): Promise<void> {
  const stream = response.stream(200, 'application/json');
  for (const piece of pieces) await stream.write(piece);
  await stream.write('\n');
  await stream.end();
}
