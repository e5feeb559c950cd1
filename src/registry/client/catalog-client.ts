import { EngineError } from '../../errors/engine-error.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { algorithmOf, type Digest, hexOf } from '../../oci/digest.ts';
import { parseIndex } from '../../oci/manifest.ts';
import { isIndexType, MEDIA_TYPES } from '../../oci/media-types.ts';
import { isRepositoryPath, isTag, type Reference } from '../../oci/reference.ts';
import type { HostCapability } from '../sources/hosts-file.ts';
import { walkSources } from '../sources/source-walk.ts';
import type { Endpoint } from '../sources/sources.ts';
import { type RegistryClientOptions, RegistryConnection } from '../transport/registry-connection.ts';
import { readBody } from '../transport/response-body.ts';
import { errorFromResponse, RegistryResponseError } from '../transport/response-errors.ts';
import type { TransportResponse } from '../transport/transport.ts';
import { DistributionClient } from './distribution-client.ts';
import { nextPage } from './link-header.ts';
import { recordOf } from './loose-json.ts';
import type { RegistryCatalog, RegistryConfig, RegistryRequest } from './registry-client.ts';

/** Of a digest's in the tag that lists its referrers. */
const TAG_HEX_DIGITS = 64;
const PAGE_SIZE = '1000';
const MAX_ITEMS = 100_000;
const MAX_PAGES = 10_000;
const MAX_PAGE_BYTES = 8 << 20;

/** One list of a registry, page by page. */
interface Listing {
  about: Reference;
  capability: HostCapability;
  path: string;
  query: Readonly<Record<string, string>>;
  scope: string;
  read: (page: Uint8Array, response: TransportResponse) => unknown[];
}

/** What a registry lists, over HTTP. */
export class CatalogClient implements RegistryCatalog {
  readonly #connection: RegistryConnection;

  /** @param to Settings, or a connection that is shared with other clients. */
  constructor(to: RegistryConfig | RegistryConnection, options: RegistryClientOptions = {}) {
    this.#connection = to instanceof RegistryConnection ? to : new RegistryConnection(to, options);
  }

  async tags(repository: Reference, options: RegistryRequest): Promise<string[]> {
    const about = { ...repository, tag: undefined, digest: undefined };
    const listing: Listing = {
      about,
      capability: 'pull',
      path: `${about.path}/tags/list`,
      query: { n: PAGE_SIZE },
      scope: `repository:${about.path}:pull`,
      read: (page) => stringsIn(page, 'tags'),
    };
    return (await this.#list(listing, options)).filter((tag): tag is string => isTag(String(tag)));
  }

  async repositories(domain: string, options: RegistryRequest): Promise<string[]> {
    const listing: Listing = {
      about: { domain, path: '_catalog', tag: undefined, digest: undefined },
      capability: 'pull',
      path: '_catalog',
      query: { n: PAGE_SIZE },
      scope: 'registry:catalog:*',
      read: (page) => stringsIn(page, 'repositories'),
    };
    const names = await this.#list(listing, options);
    return names.filter((name): name is string => isRepositoryPath(String(name)));
  }

  async referrers(
    subject: { repository: Reference; digest: Digest; artifactType?: string },
    options: RegistryRequest,
  ): Promise<Descriptor[]> {
    const { repository, digest, artifactType } = subject;
    const about = { ...repository, tag: undefined, digest };
    const found = await this.#referrersByApi({ about, digest, artifactType }, options).catch(
      (error: unknown) => {
        // No such API, or a page of something else: registries of before OCI 1.1 keep a tag.
        if (isNoApi(error)) return this.#referrersByTag(about, digest, options);
        throw error;
      },
    );
    return artifactType === undefined ? found : found.filter((entry) => entry.artifactType === artifactType);
  }

  async #referrersByApi(
    subject: { about: Reference; digest: Digest; artifactType: string | undefined },
    options: RegistryRequest,
  ): Promise<Descriptor[]> {
    const { about, digest, artifactType } = subject;
    const listing: Listing = {
      about,
      capability: 'referrers',
      path: `${about.path}/referrers/${digest}`,
      query: artifactType === undefined ? {} : { artifactType },
      scope: `repository:${about.path}:pull`,
      read: (page) => parseIndex(page, MEDIA_TYPES.ociIndex).manifests,
    };
    return (await this.#list(listing, options)) as Descriptor[];
  }

  async #referrersByTag(
    repository: Reference,
    digest: Digest,
    options: RegistryRequest,
  ): Promise<Descriptor[]> {
    // The specification cuts it off: a tag has 128 characters at most.
    const tag = `${algorithmOf(digest)}-${hexOf(digest).slice(0, TAG_HEX_DIGITS)}`;
    const reference = { ...repository, tag, digest: undefined };
    try {
      const { bytes, descriptor } = await new DistributionClient(this.#connection).manifest(
        reference,
        options,
      );
      return isIndexType(descriptor.mediaType) ? parseIndex(bytes, descriptor.mediaType).manifests : [];
    } catch (error) {
      if (error instanceof RegistryResponseError && error.status === 404) return [];
      throw error;
    }
  }

  async #list(listing: Listing, options: RegistryRequest): Promise<unknown[]> {
    const { about, capability } = listing;
    const sources = await this.#connection.sources(about, capability, options);
    const walk = this.#connection.walk(about, sources, options.signal);
    return walkSources(walk, (source, { headMs }) => this.#listAt(source, { listing, headMs, options }));
  }

  async #listAt(
    source: Endpoint,
    { listing, headMs, options }: { listing: Listing; headMs: number; options: RegistryRequest },
  ): Promise<unknown[]> {
    const { about, scope, read } = listing;
    const items: unknown[] = [];
    const limits = this.#connection.limits(source, options);
    let next: URL | undefined;
    for (let pages = 0; pages < MAX_PAGES; pages++) {
      const response = await this.#connection.ask(source, {
        method: 'GET',
        path: next ?? listing.path,
        query: next === undefined ? listing.query : {},
        headers: { accept: `application/json, ${MEDIA_TYPES.ociIndex}` },
        scopes: [scope],
        headMs,
        options,
      });
      if (response.status !== 200) throw await errorFromResponse(response, about, limits);
      const page = read(await readBody(response, { ...limits, maxBytes: MAX_PAGE_BYTES }), response);
      items.push(...page);
      if (items.length > MAX_ITEMS) break;
      next = nextPage(response, source.trust.origin);
      // A page that is empty, or a link in a circle, brings nothing more.
      if (next === undefined || page.length === 0) return items;
    }
    throw new EngineError('invalid', `Cannot list: the registry names more than ${MAX_ITEMS} entries`, {
      code: 'size-exceeded',
    });
  }
}

function isNoApi(error: unknown): boolean {
  if (error instanceof RegistryResponseError) return [400, 404, 405, 406].includes(error.status);
  return error instanceof EngineError && error.kind === 'invalid';
}

/** @throws EngineError "unavailable" where it is no such list. */
function stringsIn(page: Uint8Array, field: string): string[] {
  const values = recordOf(parsed(page))[field];
  // A repository whose tags are all gone has `null`.
  if (values === null) return [];
  if (!Array.isArray(values))
    throw new EngineError('unavailable', `Cannot list: the registry's answer has no ${field}`, {
      code: 'registry-unreachable',
    });
  return values.filter((value) => typeof value === 'string');
}

function parsed(page: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(page));
  } catch {
    return undefined;
  }
}
