import { EngineError } from '../../errors/engine-error.ts';
import { compareApiVersions } from '../../wire/versions.ts';
import { type ApiRequest, boolParam, pathParam } from '../api-request.ts';
import type { ApiResponse } from '../api-response.ts';
import { encodeStats } from '../encode/stats.ts';
import type { Route } from '../router.ts';
import type { Backends } from '../server-options.ts';

/** What containers use: once, or every second. */
export function containerStatsRoute(backends: Backends): Route {
  return {
    method: 'GET',
    pattern: '/containers/{}/stats',
    handler: (request, response) => stats(backends, request, response),
  };
}

const ONE_SHOT_SINCE = '1.41';

async function stats({ containers }: Backends, request: ApiRequest, response: ApiResponse): Promise<void> {
  const { signal } = request;
  const streams = request.query.get('stream') === null || boolParam(request, 'stream');
  const oneShot = boolParam(request, 'one-shot') && compareApiVersions(request.version, ONE_SHOT_SINCE) >= 0;
  if (streams && oneShot) throw new EngineError('invalid', 'cannot have stream=true and one-shot=true');
  if (!streams) {
    const found = await containers.statsOnce(pathParam(request), { oneShot, signal });
    response.json(200, encodeStats(found, { anonymous: oneShot }));
    return;
  }
  const found = containers.followStats(pathParam(request), { signal });
  const stream = response.stream(200, 'application/json');
  for await (const one of found) await stream.writeJson(encodeStats(one));
  await stream.end();
}
