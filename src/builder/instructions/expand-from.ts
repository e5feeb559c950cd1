import { type Platform, parsePlatform } from '../../oci/platform.ts';
import { type ExpandedWord, expandWord } from '../expansion/expand-word.ts';
import { atRange, DockerfileError } from '../parser/dockerfile-error.ts';
import type { EscapeToken } from '../parser/parsed-dockerfile.ts';
import type { Stage } from './instruction.ts';
import { didYouMean } from './suggest.ts';

/** What a FROM says once the arguments above it are known. */
export interface ExpandedFrom {
  readonly base: ExpandedWord;
  /** Undefined without `--platform`. */
  readonly platformWord: ExpandedWord | undefined;
  readonly platform: Platform | undefined;
}

/** What a FROM is expanded with. */
export interface FromScope {
  /** `globalArgs`' variables. */
  readonly variables: ReadonlyMap<string, string>;
  readonly escapeToken: EscapeToken;
  /** Hears of variables that nobody set, first those of the base, also when the FROM fails. */
  readonly onUnmatched?: (names: ReadonlySet<string>) => void;
}

/** @throws DockerfileError with the FROM's lines, in BuildKit's words. */
export function expandFrom(stage: Stage, scope: FromScope): ExpandedFrom {
  try {
    const base = expand(stage.base, scope);
    if (base.result === '') throw new DockerfileError(`base name (${stage.base}) should not be blank`);
    if (stage.platform === '') return { base, platformWord: undefined, platform: undefined };
    const platformWord = expandPlatform(stage, scope);
    return { base, platformWord, platform: platformOf(stage, platformWord, scope.variables) };
  } catch (error) {
    throw atRange(error, stage.range);
  }
}

function expand(word: string, { variables, escapeToken, onUnmatched }: FromScope): ExpandedWord {
  const unmatched = new Set<string>();
  const onLookUp = (name: string, isSet: boolean): unknown => !isSet && unmatched.add(name);
  try {
    return expandWord(word, variables, { escapeToken, onLookUp });
  } finally {
    onUnmatched?.(unmatched);
  }
}

function expandPlatform(stage: Stage, scope: FromScope): ExpandedWord {
  try {
    return expand(stage.platform, scope);
  } catch (error) {
    if (!(error instanceof DockerfileError)) throw error;
    throw new DockerfileError(`failed to process arguments for platform : ${error.message}`);
  }
}

function platformOf(stage: Stage, word: ExpandedWord, variables: ReadonlyMap<string, string>): Platform {
  const near = [...word.unmatched].map((name) => didYouMean(name, [...variables.keys()])).find(Boolean) ?? '';
  if (word.result === '') {
    throw new DockerfileError(`empty platform value from expression ${stage.platform}${near}`);
  }
  try {
    return parsePlatform(word.result);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const message = `failed to parse platform ${stage.platform}: ${reason}${near}`;
    throw new DockerfileError(message, undefined, { cause: error });
  }
}
