import { EngineError } from '../../errors/engine-error.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { parseIndex, parseManifest } from '../../oci/manifest.ts';
import { isIndexType } from '../../oci/media-types.ts';
import {
  canonicalName,
  parseAnyReference,
  parseReference,
  type Reference,
  repositoryName,
} from '../../oci/reference.ts';
import type { RegistryRequest } from '../../registry/client/registry-client.ts';
import type { DistributionManifest, DistributionPutAnswer } from '../../wire/distribution.ts';
import { booleanFilter, checkFilterNames, type Filters, parseFilters } from '../../wire/filters.ts';
import type { ImageSearchResult } from '../../wire/image.ts';
import type { Json } from '../../wire/json.ts';
import { encodeOciPlatform } from '../../wire/oci-descriptor.ts';
import { type ApiRequest, boolParam, pathParam, requiredJsonBody, textParam } from '../api-request.ts';
import type { ApiResponse } from '../api-response.ts';
import { registryAccess } from '../decode/credentials.ts';
import { encodeOciDescriptor } from '../encode/descriptor.ts';
import type { RegistryBackend, RemoteManifest } from '../registry-backend.ts';
import type { Route } from '../router.ts';
import type { Backends } from '../server-options.ts';

/** What registries have: search, and a look at a name without pulling it. */
export function registryRoutes({ registry }: Backends): Route[] {
  return [
    {
      method: 'GET',
      pattern: '/images/search',
      handler: (request, response) =>
        boolParam(request, 'listTags')
          ? listTags(registry, request, response)
          : search(registry, request, response),
    },
    {
      method: 'GET',
      pattern: '/distribution/{*}/json',
      handler: async (request, response) => {
        const { descriptor, platforms } = await registry.inspect(
          remoteName(request),
          registryRequest(request),
        );
        const { mediaType, digest, size } = descriptor;
        response.json(200, {
          Descriptor: { mediaType, digest, size },
          Platforms: platforms.map(encodeOciPlatform),
        });
      },
    },
    {
      method: 'GET',
      pattern: '/distribution/{*}/manifest',
      handler: async (request, response) => {
        const found = await registry.manifest(remoteName(request), registryRequest(request));
        response.json(200, encodeManifest(found));
      },
    },
    {
      method: 'PUT',
      pattern: '/distribution/{*}/manifest',
      handler: async (request, response) => {
        const name = remoteName(request);
        const manifest = decodePut(await requiredJsonBody(request));
        const digest = await registry.putManifest(name, manifest, registryRequest(request));
        response.json(201, { Digest: digest } satisfies DistributionPutAnswer);
      },
    },
  ];
}

/** @throws EngineError "invalid" for what is no manifest: a registry is sent nothing else. */
function decodePut(body: Json): { mediaType: string; bytes: Uint8Array } {
  const { MediaType: mediaType, Raw: raw } = (body ?? {}) as { [key: string]: Json };
  if (typeof mediaType !== 'string' || typeof raw !== 'string')
    throw new EngineError('invalid', 'MediaType and Raw must be strings');
  const bytes = Buffer.from(raw, 'base64');
  if (isIndexType(mediaType)) parseIndex(bytes, mediaType);
  else parseManifest(bytes, mediaType);
  return { mediaType, bytes };
}

function registryRequest(request: ApiRequest): RegistryRequest {
  return { signal: request.signal, ...registryAccess(request) };
}

function remoteName(request: ApiRequest): Reference {
  const name = parseAnyReference(pathParam(request));
  if (typeof name === 'string') throw new EngineError('invalid', `unknown image reference format: ${name}`);
  return name;
}

function encodeManifest({ reference, descriptor, bytes, manifests }: RemoteManifest): DistributionManifest {
  return {
    Ref: canonicalName(reference),
    Descriptor: encodeOciDescriptor(descriptor satisfies Descriptor),
    Raw: Buffer.from(bytes).toString('base64'),
    ...(manifests === undefined ? {} : { Manifests: manifests.map(encodeManifest) }),
  };
}

async function search(registry: RegistryBackend, request: ApiRequest, response: ApiResponse): Promise<void> {
  const filters = parseFilters(request.query.get('filters'));
  checkFilterNames(filters, ['is-automated', 'is-official', 'stars']);
  const isOfficial = booleanFilter(filters, 'is-official');
  // Nothing is automated any more: who asks for it gets nothing.
  const isAutomated = booleanFilter(filters, 'is-automated') === true;
  const found = await registry.search(request.query.get('term') ?? '', {
    ...registryRequest(request),
    limit: limitParam(request),
    isOfficial,
    minStars: starsFilter(filters),
  });
  const results: ImageSearchResult[] = (isAutomated ? [] : found).map((result) => ({
    star_count: result.starCount,
    is_official: result.isOfficial,
    name: result.name,
    is_automated: false,
    description: result.description,
  }));
  response.json(200, results);
}

async function listTags(
  registry: RegistryBackend,
  request: ApiRequest,
  response: ApiResponse,
): Promise<void> {
  if (parseFilters(request.query.get('filters')).size > 0)
    throw new EngineError('invalid', 'tags cannot be filtered');
  const repository = parseReference(request.query.get('term') ?? '');
  if (repository.tag !== undefined || repository.digest !== undefined)
    throw new EngineError('invalid', 'tags are listed of a repository: leave out the tag');
  const limit = limitParam(request);
  const tags = await registry.tags(repository, registryRequest(request));
  response.json(200, {
    Name: repositoryName(repository),
    Tags: limit === undefined ? tags : tags.slice(0, limit),
  });
}

function limitParam(request: ApiRequest): number | undefined {
  const text = textParam(request, 'limit');
  if (text === undefined) return undefined;
  const limit = Number(text);
  if (!/^[+-]?\d+$/.test(text))
    throw new EngineError(
      'invalid',
      `invalid limit specified: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  if (limit < 0) throw new EngineError('invalid', 'invalid limit specified');
  return limit === 0 ? undefined : limit;
}

function starsFilter(filters: Filters): number | undefined {
  const counts = (filters.get('stars') ?? []).map((text) => {
    if (!/^[+-]?\d+$/.test(text))
      throw new EngineError(
        'invalid',
        `invalid filter 'stars=${text}': strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`,
      );
    return Number(text);
  });
  return counts.length === 0 ? undefined : Math.max(...counts);
}
