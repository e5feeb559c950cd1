import { type ParentMatch, PatternMatcher } from '../../archive/pattern-matcher.ts';

/** What is known of a path, needed for those below it. */
export interface SelectionState {
  isSelected: boolean;
  isExcluded: boolean;
  include: ParentMatch | undefined;
  exclude: ParentMatch | undefined;
}

/** Include and exclude patterns together, as contexts and COPY have them: a path is selected when it or a parent is included, and not excluded. */
export class PathSelection {
  readonly #include: PatternMatcher | undefined;
  readonly #exclude: PatternMatcher | undefined;
  /** Include patterns without wildcards; undefined: some have. */
  readonly #plain: readonly string[] | undefined;

  /** @throws EngineError "invalid" for a pattern that is none. */
  constructor(include: readonly string[], exclude: readonly string[]) {
    this.#include = include.length === 0 ? undefined : new PatternMatcher(include);
    this.#exclude = exclude.length === 0 ? undefined : new PatternMatcher(exclude);
    const isPlain = include.every((pattern) => !/[*?[\]\\!]/.test(pattern));
    this.#plain = isPlain ? include.map((pattern) => pattern.split('/').filter(isName).join('/')) : undefined;
  }

  get isEverything(): boolean {
    return this.#include === undefined && this.#exclude === undefined;
  }

  /** `parent`: what `look` said of the directory above; undefined at the top. */
  look(path: string, parent: SelectionState | undefined): SelectionState {
    const included = this.#include?.match(path, parent?.include);
    const excluded = this.#exclude?.match(path, parent?.exclude);
    const isExcluded = excluded?.matches ?? false;
    return {
      isSelected: (included?.matches ?? true) && !isExcluded,
      isExcluded,
      include: included?.state,
      exclude: excluded?.state,
    };
  }

  /** Whether anything below the directory `path`, which isn't selected itself, can be. */
  maySelectBelow(path: string, state: SelectionState): boolean {
    if (state.isExcluded && this.#exclude?.hasExceptions !== true) return false;
    if (state.isSelected || this.#plain === undefined || this.#include === undefined) return true;
    return state.isExcluded || this.#plain.some((pattern) => pattern.startsWith(`${path}/`));
  }
}

function isName(component: string): boolean {
  return component !== '' && component !== '.';
}
