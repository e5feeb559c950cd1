import type { ContainerView } from '../../containers/container.ts';
import type { ContainerBackend } from '../../containers/container-backend.ts';
import { EngineError, kindOf } from '../../errors/engine-error.ts';
import type { ContainerPruneResponse } from '../../wire/container.ts';
import { parseFilters } from '../../wire/filters.ts';
import { parseTimeParameter } from '../../wire/time.ts';
import type { ApiRequest } from '../api-request.ts';

const KNOWN_FILTERS = new Set(['label', 'label!', 'until']);

/** Remove the containers that don't run and that the filters name. One that can't be removed, or ran meanwhile, is left. */
export async function pruneContainers(
  containers: ContainerBackend,
  request: ApiRequest,
): Promise<ContainerPruneResponse> {
  const isWanted = pruneFilter(parseFilters(request.query.get('filters')));
  const views = await containers.list({
    all: true,
    limit: undefined,
    size: false,
    filters: new Map([['status', ['created', 'exited', 'dead']]]),
  });
  const deleted: string[] = [];
  let reclaimed = 0;
  for (const view of views.filter(isWanted)) {
    if (request.signal.aborted) break;
    const size = await containers.size(view.id).catch(() => undefined);
    try {
      await containers.remove(view.id, { force: false, volumes: false });
    } catch (error) {
      if (kindOf(error) === 'conflict' || kindOf(error) === 'not-found') continue;
      throw error;
    }
    deleted.push(view.id);
    reclaimed += size?.writableBytes ?? 0;
  }
  return { ContainersDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: reclaimed };
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
