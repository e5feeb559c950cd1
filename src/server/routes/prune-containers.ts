import type { ContainerView } from '../../containers/container.ts';
import type { ContainerBackend } from '../../containers/container-backend.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { ContainerPruneResponse } from '../../wire/container.ts';
import { parseFilters } from '../../wire/filters.ts';
import { parseTimeParameter } from '../../wire/time.ts';
import type { ApiRequest } from '../api-request.ts';

const KNOWN_FILTERS = new Set(['label', 'label!', 'until']);

/** Remove the containers that don't run and that the filters name. */
export async function pruneContainers(
  containers: ContainerBackend,
  request: ApiRequest,
): Promise<ContainerPruneResponse> {
  const isWanted = pruneFilter(parseFilters(request.query.get('filters')));
  const { deleted, reclaimedBytes } = await containers.prune(isWanted, { signal: request.signal });
  return { ContainersDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: reclaimedBytes };
}

function pruneFilter(filters: ReadonlyMap<string, string[]>): (view: ContainerView) => boolean {
  for (const name of filters.keys())
    if (!KNOWN_FILTERS.has(name)) throw new EngineError('invalid', `invalid filter '${name}'`);
  const untils = filters.get('until') ?? [];
  if (untils.length > 1) throw new EngineError('invalid', 'more than one until filter specified');
  const until = untils[0] === undefined ? undefined : parseTimeParameter(untils[0]);
  const wanted = filters.get('label') ?? [];
  const unwanted = filters.get('label!') ?? [];
  return ({ createdNano, config, state }) =>
    (state.status === 'created' || state.status === 'exited' || state.status === 'dead') &&
    (until === undefined || createdNano <= until) &&
    wanted.every((label) => hasLabel(config.labels, label)) &&
    !unwanted.some((label) => hasLabel(config.labels, label));
}

/** `key` or `key=value`. */
export function hasLabel(labels: Readonly<Record<string, string>>, label: string): boolean {
  const equals = label.indexOf('=');
  if (equals < 0) return Object.hasOwn(labels, label);
  const key = label.slice(0, equals);
  return Object.hasOwn(labels, key) && labels[key] === label.slice(equals + 1);
}
