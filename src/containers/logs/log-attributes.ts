import { EngineError, messageOf } from '../../errors/engine-error.ts';
import { type GoPattern, goPattern } from '../../text/go-pattern.ts';
import type { ContainerConfig } from '../container.ts';
import type { LogConfig } from './log-options.ts';

/**
 * What of a container's labels and environment its log options add to each line, sorted by name; `tag` among them where there is one.
 *
 * @throws EngineError "invalid" for a pattern that is none.
 */
export function logAttributes(
  { labels, env }: Pick<ContainerConfig, 'labels' | 'env'>,
  { config }: LogConfig,
  tag: string,
): Map<string, string> {
  const variables = Object.fromEntries(
    env.map((text): [string, string] => {
      const equals = text.indexOf('=');
      return equals < 0 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
    }),
  );
  const found: [string, string][] = [
    ...chosen(labels, config['labels'], config['labels-regex']),
    ...chosen(variables, config['env'], config['env-regex']),
    ...(tag === '' ? [] : [['tag', tag] as [string, string]]),
  ];
  return new Map(found.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

function chosen(
  from: Readonly<Record<string, string>>,
  names: string | undefined,
  pattern: string | undefined,
): [string, string][] {
  const wanted = new Set(names?.split(',') ?? []);
  const matcher = pattern === undefined || pattern === '' ? undefined : regularExpression(pattern);
  return Object.entries(from).filter(([name]) => wanted.has(name) || matcher?.test(name) === true);
}

function regularExpression(pattern: string): GoPattern {
  try {
    return goPattern(pattern);
  } catch (error) {
    throw new EngineError('invalid', messageOf(error), { cause: error });
  }
}

/** `key=value,key=value`, each escaped as in a query: what `docker logs --details` shows. */
export function attributesText(attributes: ReadonlyMap<string, string>): string {
  return [...attributes].map(([name, value]) => `${escaped(name)}=${escaped(value)}`).join(',');
}

/** Go's `url.QueryEscape`. */
function escaped(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replaceAll('%20', '+')
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
