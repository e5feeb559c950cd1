import type { ContainerView } from '../../containers/container.ts';
import type { ContainerBackend } from '../../containers/container-backend.ts';
import type { ContainerPruneResponse } from '../../wire/container.ts';
import {
  checkFilterNames,
  type Filters,
  labelFilter,
  parseFilters,
  untilFilter,
} from '../../wire/filters.ts';
import type { ApiRequest } from '../api-request.ts';

/** Remove the containers that don't run and that the filters name. */
export async function pruneContainers(
  containers: ContainerBackend,
  request: ApiRequest,
): Promise<ContainerPruneResponse> {
  const isWanted = pruneFilter(parseFilters(request.query.get('filters')));
  const { deleted, reclaimedBytes } = await containers.prune(isWanted, { signal: request.signal });
  return { ContainersDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: reclaimedBytes };
}

function pruneFilter(filters: Filters): (view: ContainerView) => boolean {
  checkFilterNames(filters, ['label', 'label!', 'until']);
  const until = untilFilter(filters);
  const isLabelled = labelFilter(filters);
  return ({ createdNano, config, state }) =>
    (state.status === 'created' || state.status === 'exited' || state.status === 'dead') &&
    (until === undefined || createdNano <= until) &&
    isLabelled(config.labels);
}
