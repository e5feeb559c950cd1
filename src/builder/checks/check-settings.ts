import { parseBool } from '../../text/parse-bool.ts';
import { quote } from '../../wire/quote.ts';
import { trimSpace } from '../parser/blank.ts';
import { DirectiveReader } from '../parser/directives.ts';
import { DockerfileError } from '../parser/dockerfile-error.ts';
import { CHECK_RULES, type CheckRuleName } from './check-rules.ts';

/** Which rules are on; `all` or names, also of rules that we don't know. */
export interface CheckSettings {
  readonly skipped: ReadonlySet<string>;
  readonly experimental: ReadonlySet<string>;
  /** A warning makes the build fail. */
  readonly failsOnWarning: boolean;
}

const NONE: CheckSettings = { skipped: new Set(), experimental: new Set(), failsOnWarning: false };

/**
 * `skip=Rule,Rule;experimental=Rule;error=true`, as `# check=` has it; `all` stands for every rule. Text behind a blank is not read.
 *
 * @throws DockerfileError in BuildKit's words.
 */
export function parseCheckSettings(value: string): CheckSettings {
  const [text = ''] = value.split(' ');
  if (text === '') return NONE;
  let settings = NONE;
  for (const part of cutParts(text)) settings = { ...settings, ...parsePart(part) };
  return settings;
}

/** At most three parts: what comes after the second `;` is one. */
function cutParts(text: string): string[] {
  const parts = text.split(';');
  return parts.length <= 3 ? parts : [...parts.slice(0, 2), parts.slice(2).join(';')];
}

function parsePart(part: string): Partial<CheckSettings> {
  const at = part.indexOf('=');
  if (at < 0) throw failure(`invalid check option ${quote(part)}`);
  const name = trimSpace(part.slice(0, at));
  const value = trimSpace(part.slice(at + 1));
  switch (name) {
    case 'skip':
      return { skipped: namesIn(value) };
    case 'experimental':
      return { experimental: namesIn(value) };
    case 'error': {
      const failsOnWarning = parseBool(value);
      if (failsOnWarning !== undefined) return { failsOnWarning };
      const reason = `strconv.ParseBool: parsing ${quote(value)}: invalid syntax`;
      throw failure(`failed to parse check option ${quote(part)}: ${reason}`);
    }
    default:
      throw failure(`invalid check option ${quote(name)}`);
  }
}

function namesIn(value: string): ReadonlySet<string> {
  return new Set(value === 'all' ? ['all'] : value.split(',').map(trimSpace));
}

function failure(reason: string): DockerfileError {
  return new DockerfileError(`failed to parse check options: ${reason}`);
}

/** The settings for one instruction: a comment `# check=…` above it adds to those of the file. What can't be read is no setting. */
export function settingsAbove(comments: readonly string[], settings: CheckSettings): CheckSettings {
  for (const comment of comments) {
    const directive = new DirectiveReader('').read(comment);
    if (directive?.name !== 'check') continue;
    try {
      const own = parseCheckSettings(directive.value);
      return {
        skipped: settings.skipped.union(own.skipped),
        experimental: settings.experimental.union(own.experimental),
        failsOnWarning: settings.failsOnWarning,
      };
    } catch (error) {
      if (error instanceof DockerfileError) return settings;
      throw error;
    }
  }
  return settings;
}

export function isOn(rule: CheckRuleName, { skipped, experimental }: CheckSettings): boolean {
  if (CHECK_RULES[rule].experimental) return experimental.has('all') || experimental.has(rule);
  return !skipped.has('all') && !skipped.has(rule);
}
