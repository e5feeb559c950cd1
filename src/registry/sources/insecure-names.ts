import { resolvesToInsecure, splitHost } from './host-match.ts';

const REMEMBERED_MS = 60_000;
const MAX_REMEMBERED = 1000;

/** Which host names stand for insecure addresses: looked up when it matters, and remembered for a minute. */
export class InsecureNames {
  readonly #entries: readonly string[];
  readonly #known = new Map<string, { answer: Promise<boolean>; untilMs: number }>();

  /** @param entries `insecure-registries`. */
  constructor(entries: readonly string[]) {
    this.#entries = entries;
  }

  has(authority: string): Promise<boolean> {
    const { host } = splitHost(authority);
    const known = this.#known.get(host);
    if (known !== undefined && performance.now() < known.untilMs) return known.answer;
    const answer = resolvesToInsecure(host, this.#entries);
    if (this.#known.size >= MAX_REMEMBERED) this.#known.clear();
    this.#known.set(host, { answer, untilMs: performance.now() + REMEMBERED_MS });
    return answer;
  }
}
