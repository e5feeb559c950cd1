import { EngineError, messageOf } from '../../errors/engine-error.ts';
import { nowNano } from '../../sys/clock.ts';
import type {
  ContainerCreateResponse,
  ContainerTopResponse,
  ContainerUpdateResponse,
} from '../../wire/container.ts';
import { parseFilters } from '../../wire/filters.ts';
import { LIFELINE_KEY } from '../../wire/lifeline.ts';
import { compareApiVersions } from '../../wire/versions.ts';
import {
  type ApiRequest,
  boolParam,
  intParam,
  jsonBody,
  pathParam,
  requiredJsonBody,
  textParam,
} from '../api-request.ts';
import type { ApiResponse } from '../api-response.ts';
import { decodeCreateRequest } from '../decode/create-request.ts';
import { moveInterfaceSysctls } from '../decode/interface-sysctls.ts';
import { platformParam } from '../decode/platform.ts';
import { terminalSize } from '../decode/terminal-size.ts';
import { decodeUpdateRequest } from '../decode/update-request.ts';
import { encodeContainer, encodeSummary } from '../encode/container.ts';
import type { Route } from '../router.ts';
import type { Backends } from '../server-options.ts';
import { withTimeline } from '../with-timeline.ts';
import { imageNamer } from './image-namer.ts';
import { pruneContainers } from './prune-containers.ts';

/** Clients of an earlier API count on an IPC namespace that others may join. */
const PRIVATE_IPC_SINCE = '1.40';
const MANY_NETWORKS_SINCE = '1.44';
const PIDS_UPDATE_SINCE = '1.40';

/** Containers, all but what streams (container-streams.ts). */
export function containerRoutes(backends: Backends): Route[] {
  const { containers } = backends;
  const post = (verb: string, act: (request: ApiRequest, response: ApiResponse) => Promise<void>): Route => ({
    method: 'POST',
    pattern: `/containers/{}/${verb}`,
    handler: act,
  });
  /** A command on one container that answers 204. */
  const command = (
    verb: string,
    act: (name: string, request: ApiRequest, response: ApiResponse) => Promise<void>,
  ): Route =>
    post(verb, async (request, response) => {
      await act(pathParam(request), request, response);
      response.empty(204);
    });
  return [
    {
      method: 'POST',
      pattern: '/containers/create',
      handler: (request, response) => create(backends, request, response),
    },
    {
      method: 'POST',
      pattern: '/containers/prune',
      handler: async (request, response) => response.json(200, await pruneContainers(containers, request)),
    },
    {
      method: 'GET',
      pattern: '/containers/json',
      handler: (request, response) => list(backends, request, response),
    },
    {
      method: 'GET',
      pattern: '/containers/{}/json',
      handler: async (request, response) => {
        const name = pathParam(request);
        const view = await containers.inspect(name);
        const size = boolParam(request, 'size') ? await containers.size(view.id) : undefined;
        response.json(200, encodeContainer(view, size));
      },
    },
    {
      method: 'GET',
      pattern: '/containers/{}/top',
      handler: async (request, response) => {
        const args = (request.query.get('ps_args') ?? '').split(/\s+/).filter((word) => word !== '');
        const { titles, processes } = await containers.top(
          pathParam(request),
          args.length === 0 ? ['-ef'] : args,
        );
        response.json(200, { Processes: processes, Titles: titles } satisfies ContainerTopResponse);
      },
    },
    post('update', async (request, response) => {
      const { change, warnings } = decodeUpdateRequest(await jsonBody(request));
      if (compareApiVersions(request.version, PIDS_UPDATE_SINCE) < 0) change.resources.pidsLimit = undefined;
      const left = [...warnings, ...(await containers.update(pathParam(request), change))];
      response.json(200, { Warnings: left.length === 0 ? null : left } satisfies ContainerUpdateResponse);
    }),
    command('start', async (name, request, response) => {
      refuseBody(request);
      if (textParam(request, 'checkpoint') !== undefined)
        throw new EngineError('not-implemented', 'starting from a checkpoint is not implemented yet');
      await withTimeline(request, response, (timeline) => containers.start(name, { timeline }));
    }),
    command('stop', (name, request) => containers.stop(name, stopOptions(request))),
    command('restart', (name, request) => containers.restart(name, stopOptions(request))),
    command('kill', (name, request) => kill(backends, name, request)),
    command('pause', (name) => containers.pause(name)),
    command('unpause', (name) => containers.unpause(name)),
    command('rename', async (name, request) => {
      const newName = textParam(request, 'name');
      if (newName === undefined) throw new EngineError('invalid', 'Neither old nor new names may be empty');
      await containers.rename(name, newName);
    }),
    post('resize', async (request, response) => {
      await containers.resize(pathParam(request), terminalSize(request));
      response.empty(200);
    }),
    {
      method: 'DELETE',
      pattern: '/containers/{}',
      handler: async (request, response) => {
        const name = pathParam(request);
        if (boolParam(request, 'link')) await refuseLink(containers, name);
        await containers.remove(name, {
          force: boolParam(request, 'force'),
          volumes: boolParam(request, 'v'),
        });
        response.empty(204);
      },
    },
    {
      method: 'DELETE',
      // A container's name for another one, by a link.
      pattern: '/containers/{}/{}',
      handler: async (request, response) => {
        const [name = '', alias = ''] = request.params;
        if (!boolParam(request, 'link'))
          throw new EngineError('not-found', `No such container: ${name}/${alias}`);
        await containers.unlink(name, alias);
        response.empty(204);
      },
    },
  ];
}

/** What is named is at most a container's own name. @throws EngineError in Docker's words. */
async function refuseLink(containers: Backends['containers'], name: string): Promise<never> {
  await containers.inspect(name);
  throw new EngineError('internal', 'Conflict, cannot remove the default link name of the container');
}

async function create(backends: Backends, request: ApiRequest, response: ApiResponse): Promise<void> {
  const name = textParam(request, 'name');
  const { config, host, networks, warnings } = decodeCreateRequest(await requiredJsonBody(request));
  if (networks.length > 1 && compareApiVersions(request.version, MANY_NETWORKS_SINCE) < 0)
    throw new EngineError(
      'invalid',
      `Container cannot be created with multiple network endpoints: ${networks.map(({ network }) => network).join(', ')}`,
    );
  if (host.ipcMode === '' && compareApiVersions(request.version, PRIVATE_IPC_SINCE) < 0)
    host.ipcMode = 'shareable';
  warnings.push(...moveInterfaceSysctls({ host, networks }, request.version));
  const platform = platformParam(request);
  const result = await withTimeline(request, response, (timeline) =>
    backends.lifelines.guard(host.annotations[LIFELINE_KEY], () =>
      backends.containers.create({ name, config, host, networks, platform }, { timeline }),
    ),
  );
  const answer: ContainerCreateResponse = { Id: result.id, Warnings: [...warnings, ...result.warnings] };
  response.json(201, answer);
}

async function list(backends: Backends, request: ApiRequest, response: ApiResponse): Promise<void> {
  const { containers } = backends;
  const size = boolParam(request, 'size');
  const limit = intParam(request, 'limit');
  const views = await containers.list({
    all: boolParam(request, 'all'),
    limit: limit !== undefined && limit > 0 ? limit : undefined,
    size,
    filters: parseFilters(request.query.get('filters')),
  });
  const imageName = imageNamer(backends);
  const now = nowNano();
  const summaries = views.map(async (view) =>
    encodeSummary(view, {
      nowNano: now,
      image: await imageName(view),
      size: size ? await containers.size(view.id).catch(() => undefined) : undefined,
    }),
  );
  response.json(200, await Promise.all(summaries));
}

async function kill({ containers }: Backends, name: string, request: ApiRequest): Promise<void> {
  try {
    await containers.kill(name, textParam(request, 'signal') ?? 'SIGKILL');
  } catch (error) {
    const prefix = `cannot kill container: ${name}: `;
    if (!(error instanceof EngineError) || error.kind === 'invalid' || messageOf(error).startsWith(prefix))
      throw error;
    throw new EngineError(error.kind, prefix + error.message, { cause: error });
  }
}

function stopOptions(request: ApiRequest): {
  signal: string | undefined;
  timeoutSeconds: number | undefined;
} {
  return { signal: textParam(request, 'signal'), timeoutSeconds: intParam(request, 't') };
}

/** What is shorter is an empty object, which some clients send. */
const LONGEST_EMPTY_BODY = 7;

/** @throws EngineError "invalid" in Docker's words: options of a start were a body's once. */
function refuseBody({ headers }: ApiRequest): void {
  if (
    headers['transfer-encoding'] !== undefined ||
    Number(headers['content-length'] ?? 0) > LONGEST_EMPTY_BODY
  )
    throw new EngineError(
      'invalid',
      'starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24',
    );
}
