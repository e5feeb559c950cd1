import type { ContextSource, ContextTree, ContextWant } from '../build-session.ts';
import type { ContextName } from '../plan/build-step.ts';
import type { ContextPaths } from '../plan/context-paths.ts';

export interface ContextOptions {
  /** Where a context's files come from. */
  source: (name: ContextName) => ContextSource;
  /** `.dockerignore` of the main one. */
  ignore: readonly string[];
  paths: ContextPaths;
  signal: AbortSignal;
  watch: (
    name: ContextName,
    opening: (received: (bytes: number) => void) => Promise<ContextTree>,
  ) => Promise<ContextTree>;
}

/** The contexts of one build: each is brought here once, with all that the plan reads of it, when the first step wants it. */
export class BuildContexts {
  readonly #options: ContextOptions;
  readonly #open = new Map<string, Promise<ContextTree>>();

  constructor(options: ContextOptions) {
    this.#options = options;
  }

  async tree(name: ContextName): Promise<ContextTree> {
    const key = keyOf(name);
    const known = this.#open.get(key);
    if (known !== undefined) return await known;
    const { source, signal, watch } = this.#options;
    const opening = watch(name, (received) => source(name).open(this.#want(name), { signal, received }));
    opening.catch(() => undefined);
    this.#open.set(key, opening);
    return await opening;
  }

  async release(): Promise<void> {
    const opened = await Promise.allSettled(this.#open.values());
    this.#open.clear();
    for (const result of opened) if (result.status === 'fulfilled') await result.value.release();
  }

  #want(name: ContextName): ContextWant {
    const paths = [...(this.#options.paths.get(keyOf(name))?.paths ?? [])].map(relative);
    const all = paths.includes('');
    const exclude = name.main ? this.#options.ignore : [];
    return { include: [], exclude, follow: all ? [] : paths };
  }
}

function keyOf(name: ContextName): string {
  return name.main ? '' : name.name;
}

/** `./a/../b/` → `b`; '' is all of it. */
function relative(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}
