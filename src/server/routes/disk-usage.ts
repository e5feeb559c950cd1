import { EngineError } from '../../errors/engine-error.ts';
import { nowNano } from '../../sys/clock.ts';
import type { ImageSummary } from '../../wire/image.ts';
import type { DiskUsage } from '../../wire/system.ts';
import { formatTime } from '../../wire/time.ts';
import { compareApiVersions } from '../../wire/versions.ts';
import type { ApiRequest } from '../api-request.ts';
import { encodeSummary } from '../encode/container.ts';
import { forVersion } from '../encode/for-version.ts';
import { encodeImageSummary } from '../encode/image.ts';
import { encodeVolume } from '../encode/volume.ts';
import type { Route } from '../router.ts';
import type { Backends } from '../server-options.ts';
import { imageNamer } from './image-namer.ts';
import { containerCounts, sharedSizes } from './image-sharing.ts';

const TYPES = ['image', 'container', 'volume', 'build-cache'] as const;
type DiskType = (typeof TYPES)[number];

/** `GET /system/df`: sizes are those on disk, so that they add up to what the data root takes. */
export function diskUsageRoute(backends: Backends): Route {
  return {
    method: 'GET',
    pattern: '/system/df',
    handler: async (request, response) => {
      const types = typesOf(request);
      const { owners } = await backends.system.diskUsage();
      const usage: DiskUsage = {
        LayersSize: types.has('image') ? (owners.get('images') ?? 0) : 0,
        Images: types.has('image') ? await imagesOf(backends, request) : null,
        Containers: types.has('container') ? await containersOf(backends) : null,
        Volumes: types.has('volume') ? await volumesOf(backends) : null,
        BuildCache: types.has('build-cache') ? await buildCacheOf(backends, request) : null,
        ...(types.size === TYPES.length
          ? { Owners: [...owners].map(([Name, Size]) => ({ Name, Size })) }
          : {}),
      };
      response.json(200, usage);
    },
  };
}

/** All where none is named; older clients can't choose. */
function typesOf(request: ApiRequest): Set<DiskType> {
  const named = compareApiVersions(request.version, '1.42') < 0 ? [] : request.query.getAll('type');
  const types = named.map((name) => {
    const type = TYPES.find((known) => known === name);
    if (type === undefined) throw new EngineError('invalid', `unknown object type: ${name}`);
    return type;
  });
  return new Set(types.length === 0 ? TYPES : types);
}

async function imagesOf({ images, containers }: Backends, request: ApiRequest): Promise<ImageSummary[]> {
  const views = await images.list({ all: true, filters: new Map() });
  const shared = sharedSizes(views);
  const users = await containerCounts(containers);
  return views.map((view) =>
    forVersion(
      'imageSummary',
      request.version,
      encodeImageSummary(view, { sharedSize: shared(view), containers: users.get(view.id) ?? 0 }),
    ),
  );
}

async function buildCacheOf({ builder }: Backends, request: ApiRequest): Promise<DiskUsage['BuildCache']> {
  const hasParents = compareApiVersions(request.version, '1.42') >= 0;
  return (await builder.cache()).map((record) => ({
    ID: record.id,
    ...(hasParents ? { Parents: [...record.parents] } : { Parent: record.parents[0] ?? '' }),
    Type: record.type,
    Description: record.description,
    InUse: record.inUse,
    Shared: record.shared,
    Size: record.sizeBytes,
    CreatedAt: formatTime(record.createdNano),
    LastUsedAt: record.lastUsedNano === undefined ? null : formatTime(record.lastUsedNano),
    UsageCount: record.usageCount,
  }));
}

async function volumesOf({ volumes }: Backends): Promise<DiskUsage['Volumes']> {
  return await Promise.all(
    // As Docker: what is mounted from elsewhere takes nothing here.
    (await volumes.list())
      .filter(({ options = {} }) => Object.keys(options).length === 0)
      .map(async (volume) => ({
        ...encodeVolume(volume),
        UsageData: { RefCount: volume.users.length, Size: await volumes.size(volume.name) },
      })),
  );
}

async function containersOf(backends: Backends): Promise<DiskUsage['Containers']> {
  const { containers } = backends;
  const views = await containers.list({ all: true, limit: undefined, size: true, filters: new Map() });
  const imageName = imageNamer(backends);
  const now = nowNano();
  return await Promise.all(
    views.map(async (view) =>
      encodeSummary(view, {
        nowNano: now,
        image: await imageName(view),
        size: await containers.size(view.id).catch(() => undefined),
      }),
    ),
  );
}
