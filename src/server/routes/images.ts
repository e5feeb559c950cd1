import { EngineError } from '../../errors/engine-error.ts';
import type { Platform } from '../../oci/platform.ts';
import { parseReference, type Reference, withTag } from '../../oci/reference.ts';
import { booleanFilter, checkFilterNames, type Filters, parseFilters } from '../../wire/filters.ts';
import type { ImageSummary } from '../../wire/image.ts';
import { compareApiVersions } from '../../wire/versions.ts';
import { type ApiRequest, boolParam, pathParam, textParam } from '../api-request.ts';
import type { ApiResponse } from '../api-response.ts';
import { platformJson, platformParam } from '../decode/platform.ts';
import { forVersion } from '../encode/for-version.ts';
import {
  encodeDeleted,
  encodeHistory,
  encodeImage,
  encodeImageSummary,
  encodeManifestView,
} from '../encode/image.ts';
import type { Route } from '../router.ts';
import type { Backends } from '../server-options.ts';
import { createImage } from './create-image.ts';
import { containerCounts, sharedSizes } from './image-sharing.ts';

/** Images. Names hold slashes, so the verbs stand last in the patterns. */
export function imageRoutes(backends: Backends): Route[] {
  const { images } = backends;
  const driverName = driverOf(backends);
  return [
    {
      method: 'POST',
      pattern: '/images/create',
      handler: (request, response) => createImage(images, request, response),
    },
    {
      method: 'GET',
      pattern: '/images/json',
      handler: (request, response) => list(backends, request, response),
    },
    {
      method: 'POST',
      pattern: '/images/prune',
      handler: (request, response) => prune(backends, request, response),
    },
    {
      method: 'GET',
      pattern: '/images/{*}/json',
      handler: async (request, response) => {
        if (boolParam(request, 'manifests') && textParam(request, 'platform') !== undefined)
          throw new EngineError(
            'invalid',
            'conflicting options: manifests and platform options cannot both be set',
          );
        const view = await images.get(pathParam(request), { platform: platformParam(request) });
        const inspected = {
          ...encodeImage(view, await driverName()),
          ...(showsManifests(request, '1.48')
            ? { Manifests: (await images.manifests(view.id)).map(encodeManifestView) }
            : {}),
        };
        response.json(200, forVersion('imageInspect', request.version, inspected));
      },
    },
    {
      method: 'GET',
      pattern: '/images/{*}/history',
      handler: async (request, response) => {
        const rows = await images.history(pathParam(request), { platform: platformParam(request) });
        response.json(200, rows.map(encodeHistory));
      },
    },
    {
      method: 'POST',
      pattern: '/images/{*}/tag',
      handler: async (request, response) => {
        await images.tag(pathParam(request), tagTarget(request));
        response.empty(201);
      },
    },
    {
      method: 'DELETE',
      pattern: '/images/',
      handler: () => {
        throw new EngineError('invalid', 'image name cannot be blank');
      },
    },
    {
      method: 'DELETE',
      pattern: '/images/{*}',
      handler: async (request, response) => {
        if (pathParam(request).trim() === '') throw new EngineError('invalid', 'image name cannot be blank');
        const results = await images.remove(pathParam(request), {
          force: boolParam(request, 'force'),
          platforms: removedPlatforms(request),
        });
        response.json(200, results.map(encodeDeleted));
      },
    },
  ];
}

/** The storage driver's name, which a daemon keeps for life. */
function driverOf({ system }: Backends): () => Promise<string> {
  let name: string | undefined;
  return async () => {
    name ??= (await system.info()).driver;
    return name;
  };
}

async function list(backends: Backends, request: ApiRequest, response: ApiResponse): Promise<void> {
  const { images, containers } = backends;
  const views = await images.list({
    all: boolParam(request, 'all'),
    filters: listFilters(request),
  });
  const shared = boolParam(request, 'shared-size')
    ? sharedSizes(await images.list({ all: true, filters: new Map() }))
    : undefined;
  const users = await containerCounts(containers);
  const summaries: ImageSummary[] = [];
  for (const view of views) {
    const summary = encodeImageSummary(view, {
      sharedSize: shared === undefined ? -1 : shared(view),
      containers: users.get(view.id) ?? 0,
    });
    const manifests = showsManifests(request, '1.47') ? await manifestsOf(images, view.id) : {};
    summaries.push(forVersion('imageSummary', request.version, { ...summary, ...manifests }));
  }
  response.json(200, summaries);
}

/** `filter`, one reference, is what clients sent before API 1.41. */
function listFilters(request: ApiRequest): Filters {
  const filters = parseFilters(request.query.get('filters'));
  const filter = compareApiVersions(request.version, '1.41') < 0 ? textParam(request, 'filter') : undefined;
  if (filter !== undefined) filters.set('reference', [...(filters.get('reference') ?? []), filter]);
  checkFilterNames(filters, ['dangling', 'label', 'before', 'since', 'until', 'reference']);
  return filters;
}

/** Beside its platforms an image is as large as all of them. */
async function manifestsOf(
  images: Backends['images'],
  id: string,
): Promise<Pick<ImageSummary, 'Manifests' | 'Size'>> {
  const Manifests = (await images.manifests(id)).map(encodeManifestView);
  return { Manifests, Size: Manifests.reduce((sum, { Size }) => sum + Number(Size.Total), 0) };
}

function showsManifests(request: ApiRequest, since: string): boolean {
  return boolParam(request, 'manifests') && compareApiVersions(request.version, since) >= 0;
}

/** From API 1.50: the JSON of one platform each. */
function removedPlatforms(request: ApiRequest): Platform[] {
  if (compareApiVersions(request.version, '1.50') < 0) return [];
  return request.query
    .getAll('platforms')
    .filter((text) => text !== '')
    .map(platformJson);
}

async function prune({ images }: Backends, request: ApiRequest, response: ApiResponse): Promise<void> {
  const filters = parseFilters(request.query.get('filters'));
  const danglingOnly = booleanFilter(filters, 'dangling') ?? true;
  filters.delete('dangling');
  const { deleted, reclaimedBytes } = await images.prune({ danglingOnly, filters });
  response.json(200, {
    ImagesDeleted: deleted.length === 0 ? null : deleted.map(encodeDeleted),
    SpaceReclaimed: reclaimedBytes,
  });
}

function tagTarget(request: ApiRequest): Reference {
  const target = parseReference(textParam(request, 'repo') ?? '');
  if (target.digest !== undefined)
    throw new EngineError('invalid', 'refusing to create a tag with a digest reference');
  const tag = textParam(request, 'tag');
  return withTag(target, tag ?? target.tag ?? 'latest');
}
