import { DockerfileError } from '../parser/dockerfile-error.ts';
import type { SourceRange } from '../parser/source-range.ts';
import { CHECK_RULES, type CheckRuleName, ruleUrl } from './check-rules.ts';
import { type CheckSettings, isOn, settingsAbove } from './check-settings.ts';

/** One finding, ready to be shown. */
export interface CheckWarning {
  readonly rule: CheckRuleName;
  readonly description: string;
  readonly url: string;
  /** What is wrong here. */
  readonly detail: string;
  readonly range: SourceRange;
}

/** Where a finding lies; `comments` may switch its rule off. */
export interface CheckPlace {
  readonly range: SourceRange;
  readonly comments?: readonly string[];
}

/** Gathers what the rules find, as far as they are on. */
export class CheckReport {
  readonly #settings: CheckSettings;
  readonly #warnings: CheckWarning[] = [];

  constructor(settings: CheckSettings) {
    this.#settings = settings;
  }

  get warnings(): readonly CheckWarning[] {
    return this.#warnings;
  }

  add(rule: CheckRuleName, { range, comments = [] }: CheckPlace, detail: string): void {
    if (!isOn(rule, settingsAbove(comments, this.#settings))) return;
    this.#warnings.push({
      rule,
      description: CHECK_RULES[rule].description,
      url: ruleUrl(rule),
      detail,
      range,
    });
  }

  /** The failure that the warnings are where the file says `error=true`. */
  get violation(): DockerfileError | undefined {
    if (!this.#settings.failsOnWarning || this.#warnings.length === 0) return undefined;
    const rules = new Set(this.#warnings.map((warning) => warning.rule));
    return new DockerfileError(`lint violation found for rules: ${[...rules].join(', ')}`);
  }
}
