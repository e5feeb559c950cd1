import { EngineError } from '../../errors/engine-error.ts';
import { findCommand } from '../dispatch.ts';

export interface AliasedWords {
  words: string[];
  /** The plugin that they are now for; undefined: nothing was replaced. */
  plugin: string | undefined;
}

const ALLOWED = 'builder';
/** What Docker's client hands to the builder, and what it calls there. */
const FORWARDED: readonly [from: string[], verb: string[]][] = [
  [['bake'], ['bake']],
  [['builder'], []],
  [['build'], ['build']],
  [['image', 'build'], ['build']],
];

/**
 * The words of a command line by `aliases` of config.json, whose one permitted key is `builder`: the plugin that builds.
 *
 * @throws EngineError "invalid" in Docker's words for another key, and for a command that is no plugin's.
 */
export function aliasedWords(
  words: readonly string[],
  aliases: Readonly<Record<string, string>>,
): AliasedWords {
  for (const [name, target] of Object.entries(aliases)) check(name, target);
  const plugin = aliases[ALLOWED];
  const found = FORWARDED.find(([from]) => from.every((word, at) => words[at] === word));
  if (plugin === undefined || found === undefined) return { words: [...words], plugin: undefined };
  const [from, verb] = found;
  return { words: [plugin, ...verb, ...words.slice(from.length)], plugin };
}

function check(name: string, target: string): void {
  if (name !== ALLOWED)
    throw new EngineError(
      'invalid',
      `not allowed to alias ${JSON.stringify(name)} (allowed: map[string]struct {}{"${ALLOWED}":struct {}{}})`,
    );
  const { kind } = findCommand(target.split(' '));
  const isPlugin = ['buildx', 'compose'].includes(target) || (kind === 'unknown' && target !== '');
  if (!isPlugin)
    throw new EngineError('invalid', `not allowed to alias with builtin ${JSON.stringify(target)} as target`);
}

/** @returns what Docker says of a builder that isn't installed. */
export function builderMissing(): EngineError {
  return new EngineError(
    'not-found',
    'ERROR: BuildKit is enabled but the buildx component is missing or broken.\n       Install the buildx component to build images with BuildKit:\n       https://docs.docker.com/go/buildx/',
  );
}
