import { EngineError } from '../../errors/engine-error.ts';
import { goPatternOrNone } from '../../text/go-pattern.ts';
import { parseBool, parseBoolRefusal } from '../../text/parse-bool.ts';
import type { VolumeView } from '../../volumes/volume-backend.ts';
import {
  booleanFilter,
  checkFilterNames,
  type Filters,
  labelFilter,
  parseFilters,
} from '../../wire/filters.ts';
import { LIFELINE_KEY } from '../../wire/lifeline.ts';
import { compareApiVersions } from '../../wire/versions.ts';
import type { VolumeListResponse, VolumePruneResponse } from '../../wire/volume.ts';
import { type ApiRequest, boolParam, optionalJsonBody, pathParam } from '../api-request.ts';
import { decodeNewVolume } from '../decode/volume.ts';
import { encodeVolume, volumeLabels } from '../encode/volume.ts';
import type { Route } from '../router.ts';
import type { Backends } from '../server-options.ts';

/** Before, a prune took the volumes with a name too. */
const PRUNES_ANONYMOUS_SINCE = '1.42';

/** Volumes: made, told of and removed. */
export function volumeRoutes({ lifelines, volumes }: Backends): Route[] {
  return [
    {
      method: 'POST',
      pattern: '/volumes/create',
      handler: async (request, response) => {
        const wanted = decodeNewVolume(await optionalJsonBody(request));
        const made = await lifelines.guard(wanted.labels?.[LIFELINE_KEY], () => volumes.create(wanted));
        response.json(201, encodeVolume(made));
      },
    },
    {
      method: 'PUT',
      pattern: '/volumes/{*}',
      handler: () => {
        throw new EngineError(
          'unavailable',
          'volume update only valid for cluster volumes, but swarm is unavailable',
        );
      },
    },
    {
      method: 'GET',
      pattern: '/volumes',
      handler: async (request, response) => {
        const isWanted = listFilter(parseFilters(request.query.get('filters')));
        const found = (await volumes.list()).filter(isWanted);
        response.json(200, { Volumes: found.map(encodeVolume), Warnings: null } satisfies VolumeListResponse);
      },
    },
    {
      method: 'POST',
      pattern: '/volumes/prune',
      handler: async (request, response) => {
        const { deleted, reclaimedBytes } = await volumes.prune(pruneFilter(request), request);
        const answer: VolumePruneResponse = { VolumesDeleted: deleted, SpaceReclaimed: reclaimedBytes };
        response.json(200, answer);
      },
    },
    {
      method: 'GET',
      pattern: '/volumes/{*}',
      handler: async (request, response) =>
        response.json(200, encodeVolume(await volumes.get(pathParam(request)))),
    },
    {
      method: 'DELETE',
      pattern: '/volumes/{*}',
      handler: async (request, response) => {
        await volumes.remove(pathParam(request), { force: boolParam(request, 'force') });
        response.empty(204);
      },
    },
  ];
}

type VolumeTest = (volume: VolumeView) => boolean;

function listFilter(filters: Filters): VolumeTest {
  checkFilterNames(filters, ['name', 'driver', 'label', 'dangling']);
  const isNamed = nameTest(filters.get('name') ?? []);
  const drivers = filters.get('driver') ?? [];
  const isLabelled = labelFilter(filters);
  const isDangling =
    (filters.get('dangling') ?? []).length === 0 ? undefined : booleanFilter(filters, 'dangling');
  return (volume) =>
    isNamed(volume) &&
    (drivers.length === 0 || drivers.includes('local')) &&
    isLabelled(volumeLabels(volume)) &&
    (isDangling === undefined || (volume.users.length === 0) === isDangling);
}

/** As Docker, by regular expressions anywhere in the name; one that is none matches nothing. */
function nameTest(values: readonly string[]): VolumeTest {
  const patterns = values.flatMap((value) => goPatternOrNone(value) ?? []);
  return ({ name }) => values.length === 0 || patterns.some((pattern) => pattern.test(name));
}

function pruneFilter({ query, version }: ApiRequest): VolumeTest {
  const filters = parseFilters(query.get('filters'));
  checkFilterNames(filters, ['label', 'label!', 'all']);
  const all = compareApiVersions(version, PRUNES_ANONYMOUS_SINCE) < 0 || isTrue(filters.get('all') ?? []);
  const isLabelled = labelFilter(filters);
  return (volume) => (all || volume.anonymous) && isLabelled(volumeLabels(volume));
}

function isTrue(values: string[]): boolean {
  const bad = values.find((value) => parseBool(value) === undefined);
  if (bad !== undefined) throw new EngineError('invalid', `invalid filter 'all': ${parseBoolRefusal(bad)}`);
  return values.some((value) => parseBool(value) === true);
}
