import type { RegistrySource } from '../client/registry-client.ts';

const MAX_REMEMBERED = 1000;

/**
 * What was learned about sources. A mirror that didn't answer is asked last for a while, one that refused a repository is asked last for that one; of an
 * insecure registry the scheme that worked is asked first.
 */
export class SourceMemory {
  readonly #deadMs: number;
  /** By base URL, alone or with what it is about. */
  readonly #deadUntil = new Map<string, number>();
  readonly #working = new Map<string, string>();

  constructor(deadMs: number) {
    this.#deadMs = deadMs;
  }

  /** `preferred` first, then as given, dead mirrors last. */
  order<Source extends RegistrySource>(
    sources: readonly Source[],
    { preferred, repository }: { preferred?: RegistrySource | undefined; repository: string },
  ): Source[] {
    const rank = (source: RegistrySource) => {
      if (this.#isDead(source, repository)) return 2;
      return source.baseUrl === preferred?.baseUrl ? 0 : 1;
    };
    return sources
      .map((source, index) => ({ source, index, rank: rank(source) }))
      .toSorted(
        (a, b) =>
          a.rank - b.rank || this.#schemeRank(a.source) - this.#schemeRank(b.source) || a.index - b.index,
      )
      .map(({ source }) => source);
  }

  /** A mirror didn't answer, or not as a registry does. True where that is news. */
  failed(source: RegistrySource): boolean {
    return source.mirror && this.#bury(source.baseUrl);
  }

  /** A mirror refuses this repository. True where that is news. */
  refused(source: RegistrySource, repository: string): boolean {
    return source.mirror && this.#bury(`${source.baseUrl} ${repository}`);
  }

  /** A registry that doesn't answer is not asked again for a word on a tag: a pull from a mirror needn't wait for it each time. */
  keptSilent(source: RegistrySource): void {
    this.#bury(`silent ${source.baseUrl}`);
  }

  isSilent(source: RegistrySource): boolean {
    return this.#isBuried(`silent ${source.baseUrl}`);
  }

  answered(source: RegistrySource): void {
    this.#deadUntil.delete(source.baseUrl);
    if (source.mirror) return;
    if (this.#working.size >= MAX_REMEMBERED) this.#working.clear();
    this.#working.set(hostOf(source), source.baseUrl);
  }

  #isDead(source: RegistrySource, repository: string): boolean {
    return this.#isBuried(source.baseUrl) || this.#isBuried(`${source.baseUrl} ${repository}`);
  }

  #isBuried(key: string): boolean {
    return (this.#deadUntil.get(key) ?? 0) > Date.now();
  }

  #bury(key: string): boolean {
    const isNews = !this.#isBuried(key);
    if (this.#deadUntil.size >= MAX_REMEMBERED) this.#deadUntil.clear();
    this.#deadUntil.set(key, Date.now() + this.#deadMs);
    return isNews;
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
