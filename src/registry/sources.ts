import { EngineError } from '../errors/engine-error.ts';
import { DEFAULT_DOMAIN } from '../oci/reference.ts';
import { isInsecureHost, splitHost } from './host-match.ts';
import type { RegistryConfig, RegistrySource } from './registry-client.ts';

const HUB_HOST = 'registry-1.docker.io';

/** Where a domain's images are asked for: its mirrors, then the origin over HTTPS, then, if it is insecure, over HTTP. */
export function sourcesOf(domain: string, config: RegistryConfig): RegistrySource[] {
  const mirrors = domain === DEFAULT_DOMAIN ? config.mirrors.filter((mirror) => URL.canParse(mirror)) : [];
  return [
    ...mirrors.map((mirror) => ({ baseUrl: mirrorBase(mirror), mirror: true })),
    ...originsOf(domain, config),
  ];
}

/**
 * The origin alone: where pushes go.
 *
 * @throws EngineError "invalid" where the domain, fine in a name, is no address (`localhost:99999`).
 */
export function originsOf(domain: string, config: RegistryConfig): RegistrySource[] {
  const host = domain === DEFAULT_DOMAIN ? HUB_HOST : domain;
  const secure = { baseUrl: `https://${host}`, mirror: false };
  if (!URL.canParse(secure.baseUrl))
    throw new EngineError('invalid', `Get "${secure.baseUrl}/v2/": dial tcp: invalid address or port`);
  if (!isInsecureHost(host, config.insecure)) return [secure];
  const plain = { baseUrl: `http://${host}`, mirror: false };
  return splitHost(host).port === '80' ? [plain] : [secure, plain];
}

/** The URL of `/v2/<rest>` at a source. */
export function apiUrl(source: RegistrySource, rest: string): URL {
  return new URL(`${source.baseUrl}/v2/${rest}`);
}

/** Without trailing slash, user and password, query. */
function mirrorBase(mirror: string): string {
  const { protocol, host, pathname } = new URL(mirror);
  return `${protocol}//${host}${pathname.replace(/\/+$/, '')}`;
}

/**
 * What was learned about sources. A mirror that didn't answer is asked last for a while; of an insecure origin the scheme
 * that worked is asked first.
 */
export class SourceMemory {
  readonly #deadMs: number;
  readonly #deadUntil = new Map<string, number>();
  readonly #working = new Map<string, string>();

  constructor(deadMs: number) {
    this.#deadMs = deadMs;
  }

  /** `preferred` first, then as given, dead mirrors last. */
  order(sources: RegistrySource[], preferred?: RegistrySource): RegistrySource[] {
    const rank = (source: RegistrySource) => {
      if (source.baseUrl === preferred?.baseUrl) return 0;
      return this.#isDead(source) ? 2 : 1;
    };
    return sources
      .map((source, index) => ({ source, index, rank: rank(source) }))
      .toSorted(
        (a, b) =>
          a.rank - b.rank || this.#schemeRank(a.source) - this.#schemeRank(b.source) || a.index - b.index,
      )
      .map(({ source }) => source);
  }

  failed(source: RegistrySource): void {
    if (source.mirror) this.#deadUntil.set(source.baseUrl, Date.now() + this.#deadMs);
  }

  answered(source: RegistrySource): void {
    this.#deadUntil.delete(source.baseUrl);
    if (source.mirror) return;
    if (this.#working.size > 1000) this.#working.clear();
    this.#working.set(hostOf(source), source.baseUrl);
  }

  #isDead(source: RegistrySource): boolean {
    return source.mirror && (this.#deadUntil.get(source.baseUrl) ?? 0) > Date.now();
  }

  /** Mirrors keep their place; of origins of one host the known scheme goes first. */
  #schemeRank(source: RegistrySource): number {
    if (source.mirror) return 0;
    const working = this.#working.get(hostOf(source));
    return working === undefined || working === source.baseUrl ? 1 : 2;
  }
}

function hostOf(source: RegistrySource): string {
  return source.baseUrl.replace(/^https?:\/\//, '');
}
