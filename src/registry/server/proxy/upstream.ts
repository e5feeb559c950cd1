import { kindOf } from '../../../errors/engine-error.ts';
import type { Descriptor } from '../../../oci/descriptor.ts';
import { type Digest, isDigest } from '../../../oci/digest.ts';
import { parseReference, type Reference } from '../../../oci/reference.ts';
import type {
  BlobStream,
  RegistryCatalog,
  RegistryClient,
  RegistryCredentials,
  ResolvedManifest,
} from '../../client/registry-client.ts';
import { RegistryRefusal } from '../refusal.ts';

export interface UpstreamOptions {
  client: RegistryClient;
  catalog: Pick<RegistryCatalog, 'tags' | 'referrers'>;
  /** `docker.io`, `registry.example.com:5000`. */
  domain: string;
  /** In front of every repository's name there, as `project/` of a shared registry. */
  prefix?: string;
  credentials?: RegistryCredentials | undefined;
}

/** The registry behind a pull-through cache, asked under the names of ours. */
export class Upstream {
  readonly #options: UpstreamOptions;

  constructor(options: UpstreamOptions) {
    this.#options = options;
  }

  manifest(repository: string, reference: string, signal: AbortSignal): Promise<ResolvedManifest> {
    const { client, credentials } = this.#options;
    return client.manifest(this.#reference(repository, reference), { signal, credentials });
  }

  /** What a tag names there now; undefined where the upstream doesn't tell. */
  async head(repository: string, tag: string, signal: AbortSignal): Promise<Digest | undefined> {
    const { client, credentials } = this.#options;
    const found = await client.head(this.#reference(repository, tag), { signal, credentials });
    return found?.descriptor.digest;
  }

  blob(
    repository: string,
    digest: Digest,
    options: { signal: AbortSignal; start?: number; size?: number },
  ): Promise<BlobStream> {
    const { client, credentials } = this.#options;
    return client.blob(this.#reference(repository, digest), digest, { ...options, credentials });
  }

  tags(repository: string, signal: AbortSignal): Promise<string[]> {
    const { catalog, credentials } = this.#options;
    return catalog.tags(this.#reference(repository, 'latest'), { signal, credentials });
  }

  referrers(repository: string, digest: Digest, signal: AbortSignal): Promise<Descriptor[]> {
    const { catalog, credentials } = this.#options;
    const subject = { repository: this.#reference(repository, digest), digest };
    return catalog.referrers(subject, { signal, credentials });
  }

  #reference(repository: string, reference: string): Reference {
    const { domain, prefix = '' } = this.#options;
    return parseReference(`${domain}/${prefix}${repository}${isDigest(reference) ? '@' : ':'}${reference}`);
  }
}

/** Whether the upstream says that there is no such thing, or none for us, which is the same to our clients. */
export function isAbsence(error: unknown): boolean {
  return ['not-found', 'unauthorized', 'forbidden'].includes(kindOf(error) ?? '');
}

/** The upstream's failure as ours: what it said stays in the log. */
export function upstreamUnavailable(): RegistryRefusal {
  return new RegistryRefusal(503, 'UNAVAILABLE', 'the upstream registry does not answer', {
    headers: { 'retry-after': '10' },
  });
}
