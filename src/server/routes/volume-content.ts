import { type ApiRequest, optionalJsonBody, pathParam, textParam } from '../api-request.ts';
import { toReadableStream } from '../body-stream.ts';
import { decodeMode, decodeNewVolume, decodeOwner } from '../decode/volume.ts';
import { encodeVolume } from '../encode/volume.ts';
import type { Route } from '../router.ts';
import type { Backends } from '../server-options.ts';

/** What is in volumes, as a whole. Docker's API has none of it. */
export function volumeContentRoutes({ volumes }: Backends): Route[] {
  return [
    {
      method: 'GET',
      pattern: '/volumes/{}/export',
      handler: async (request, response) => {
        const tar = await volumes.export(pathParam(request), { signal: request.signal });
        const stream = response.stream(200, 'application/x-tar');
        for await (const chunk of tar) await stream.write(chunk);
        await stream.end();
      },
    },
    {
      method: 'POST',
      pattern: '/volumes/{}/import',
      handler: async (request, response) => {
        const archive = toReadableStream(request.body);
        const made = await volumes.import(importedVolume(request), archive, { signal: request.signal });
        response.json(201, encodeVolume(made));
      },
    },
    {
      method: 'POST',
      pattern: '/volumes/{}/clone',
      handler: async (request, response) => {
        const wanted = decodeNewVolume(await optionalJsonBody(request));
        const made = await volumes.clone(pathParam(request), wanted, { signal: request.signal });
        response.json(201, encodeVolume(made));
      },
    },
  ];
}

function importedVolume(request: ApiRequest) {
  const labels = request.query.getAll('label').map((text) => {
    const at = text.indexOf('=');
    return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
  });
  return {
    name: pathParam(request),
    ...(labels.length === 0 ? {} : { labels: Object.fromEntries(labels) as Record<string, string> }),
    ...decodeOwner(textParam(request, 'owner')),
    ...decodeMode(textParam(request, 'mode')),
  };
}
