import { PathPattern } from '../../archive/path-pattern.ts';
import { type PathMatch, PatternMatcher } from '../../archive/pattern-matcher.ts';

/** What is known of a path, needed for those below it. */
export interface SelectionState {
  isSelected: boolean;
  include: PathMatch | undefined;
  exclude: PathMatch | undefined;
}

/** Include and exclude patterns together, as contexts and COPY have them: a path is selected when it or a parent is included, and not excluded. */
export class PathSelection {
  readonly #include: PatternMatcher | undefined;
  readonly #exclude: PatternMatcher | undefined;
  readonly #wanted: readonly PathPattern[];

  /** @throws EngineError "invalid" for a pattern that is none. */
  constructor(include: readonly string[], exclude: readonly string[]) {
    this.#include = include.length === 0 ? undefined : new PatternMatcher(include);
    this.#exclude = exclude.length === 0 ? undefined : new PatternMatcher(exclude);
    const wanted = (this.#include?.patterns ?? []).filter(({ negated }) => !negated);
    this.#wanted = wanted.map(({ text }) => new PathPattern(text));
  }

  get isEverything(): boolean {
    return this.#include === undefined && this.#exclude === undefined;
  }

  /** `parent`: what `look` said of the directory above; undefined at the top. */
  look(path: string, parent: SelectionState | undefined): SelectionState {
    const include = this.#include?.match(path, parent?.include);
    const exclude = this.#exclude?.match(path, parent?.exclude);
    return { isSelected: include?.matched !== false && exclude?.matched !== true, include, exclude };
  }

  /** Whether anything below the directory `path`, which isn't selected itself, can be. */
  maySelectBelow(path: string, { include, exclude }: SelectionState): boolean {
    if (exclude !== undefined && this.#exclude?.takesAllBelow(path, exclude) === true) return false;
    return include?.matched !== false || this.#wanted.some((pattern) => pattern.mayMatchBelow(path));
  }
}
