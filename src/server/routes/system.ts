import { EngineError } from '../../errors/engine-error.ts';
import { nowNano } from '../../sys/clock.ts';
import { parseFilters } from '../../wire/filters.ts';
import { toAuthConfig } from '../../wire/registry-auth.ts';
import { parseTimeParameter } from '../../wire/time.ts';
import { API_VERSION } from '../../wire/versions.ts';
import { type ApiRequest, requiredJsonBody, textParam } from '../api-request.ts';
import type { ApiResponse } from '../api-response.ts';
import { credentialsOf, tlsVerifyParam } from '../decode/credentials.ts';
import { encodeEvent } from '../encode/event.ts';
import { forVersion } from '../encode/for-version.ts';
import { encodeInfo, encodeVersion } from '../encode/system.ts';
import type { Route } from '../router.ts';
import type { Backends, BuildInfo } from '../server-options.ts';

export function systemRoutes(backends: Backends, build: BuildInfo): Route[] {
  const { system } = backends;
  return [
    { method: 'GET', pattern: '/_ping', handler: (_request, response) => ping(response, 'OK') },
    { method: 'HEAD', pattern: '/_ping', handler: (_request, response) => ping(response, '') },
    {
      method: 'GET',
      pattern: '/version',
      handler: async (_request, response) => response.json(200, encodeVersion(await system.info(), build)),
    },
    {
      method: 'GET',
      pattern: '/info',
      handler: async (request, response) =>
        response.json(
          200,
          forVersion('info', request.version, encodeInfo(await system.info(), { build, nowNano: nowNano() })),
        ),
    },
    {
      method: 'GET',
      pattern: '/doctor',
      handler: async (request, response) =>
        response.json(200, await system.doctor({ signal: request.signal })),
    },
    {
      method: 'POST',
      pattern: '/shutdown',
      handler: async (_request, response) => {
        await system.stopContainers();
        response.empty(204);
      },
    },
    {
      method: 'GET',
      pattern: '/events',
      handler: (request, response) => events(backends, request, response),
    },
    {
      method: 'POST',
      pattern: '/auth',
      handler: async (request, response) => {
        const credentials = credentialsOf(toAuthConfig(await requiredJsonBody(request)));
        const { status, identityToken } = await system.authenticate(credentials, {
          signal: request.signal,
          tlsVerify: tlsVerifyParam(request),
        });
        response.json(200, { IdentityToken: identityToken, Status: status });
      },
    },
  ];
}

function ping(response: ApiResponse, body: string): void {
  response.header('Api-Version', API_VERSION);
  // BuildKit's protocol is served.
  response.header('Builder-Version', '2');
  response.header('Cache-Control', 'no-cache, no-store, must-revalidate');
  response.header('Pragma', 'no-cache');
  response.header('Swarm', 'inactive');
  response.text(200, body);
}

async function events({ system }: Backends, request: ApiRequest, response: ApiResponse): Promise<void> {
  const since = textParam(request, 'since');
  const until = textParam(request, 'until');
  const sinceNano = since === undefined ? undefined : parseTimeParameter(since);
  const untilNano = until === undefined ? undefined : parseTimeParameter(until);
  if (sinceNano !== undefined && untilNano !== undefined && sinceNano > untilNano)
    throw new EngineError('invalid', `\`since\` time (${since}) cannot be after \`until\` time (${until})`);
  const stream = await system.events(
    {
      sinceNano,
      untilNano,
      filters: parseFilters(request.query.get('filters')),
    },
    { signal: request.signal },
  );
  const answer = response.stream(200, 'application/json');
  try {
    for await (const event of stream)
      await answer.writeJson(forVersion('event', request.version, encodeEvent(event)));
  } catch (error) {
    if (!request.signal.aborted) throw error;
  }
  await answer.end();
}
