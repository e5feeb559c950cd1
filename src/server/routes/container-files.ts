import type { FileChange } from '../../containers/archive/file-changes.ts';
import type { ContainerConfig } from '../../containers/container.ts';
import { EngineError } from '../../errors/engine-error.ts';
import { parseReference, type Reference, withTag } from '../../oci/reference.ts';
import { type ApiRequest, boolParam, optionalJsonBody, pathParam, textParam } from '../api-request.ts';
import type { ApiResponse } from '../api-response.ts';
import { decodeConfig } from '../decode/container-config.ts';
import type { Route } from '../router.ts';
import type { Backends } from '../server-options.ts';

const KINDS: Record<FileChange['kind'], number> = { modified: 0, added: 1, deleted: 2 };

/** A container's files: export, changes, commit. */
export function containerFileRoutes(backends: Backends): Route[] {
  const { containers } = backends;
  return [
    {
      method: 'GET',
      pattern: '/containers/{}/export',
      handler: async (request, response) => {
        const tar = await containers.export(pathParam(request), { signal: request.signal });
        const stream = response.stream(200, 'application/octet-stream');
        for await (const chunk of tar) await stream.write(chunk);
        await stream.end();
      },
    },
    {
      method: 'GET',
      pattern: '/containers/{}/changes',
      handler: async (request, response) => {
        const changes = await containers.changes(pathParam(request), { signal: request.signal });
        const rows = changes.map(({ path, kind }) => ({ Path: path, Kind: KINDS[kind] }));
        response.json(200, rows.length === 0 ? null : rows);
      },
    },
    {
      method: 'POST',
      pattern: '/commit',
      handler: (request, response) => commit(backends, request, response),
    },
  ];
}

async function commit({ containers }: Backends, request: ApiRequest, response: ApiResponse): Promise<void> {
  const config = await committedConfig(request);
  const id = await containers.commit(
    request.query.get('container') ?? '',
    {
      config,
      changes: request.query.getAll('changes'),
      reference: commitReference(request),
      author: request.query.get('author') ?? '',
      comment: request.query.get('comment') ?? '',
      pause: request.query.get('pause') === null || boolParam(request, 'pause'),
    },
    { signal: request.signal },
  );
  response.json(201, { Id: id });
}

async function committedConfig(request: ApiRequest): Promise<ContainerConfig | undefined> {
  const body = await optionalJsonBody(request);
  return body === undefined || body === null ? undefined : decodeConfig(body);
}

function commitReference(request: ApiRequest): Reference | undefined {
  const repo = textParam(request, 'repo');
  if (repo === undefined) return undefined;
  const reference = parseReference(repo);
  if (reference.digest !== undefined) throw new EngineError('invalid', 'cannot commit to digest reference');
  return withTag(reference, textParam(request, 'tag') ?? reference.tag ?? 'latest');
}
