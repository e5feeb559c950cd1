import { EngineError, messageOf } from '../../errors/engine-error.ts';

/** Another container, as it is called in this one (`--link` on the default bridge). */
export interface ContainerLink {
  id: string;
  alias: string;
}

/** `name`, `name:alias`, `/name:/own/alias` as inspect shows it. @throws EngineError "invalid" in Docker's words. */
export function parseLink(text: string): { name: string; alias: string } {
  if (text === '') throw new EngineError('invalid', 'empty string specified for links');
  const [name = '', alias = name, ...more] = text.split(':');
  if (more.length > 0) throw new EngineError('invalid', `bad format for links: ${text}`);
  return { name, alias: alias.slice(alias.lastIndexOf('/') + 1) };
}

/** @throws EngineError as `resolve`, in Docker's words. */
export function resolveLinks(
  links: readonly string[],
  containers: { resolve(nameOrId: string): { id: string } },
): ContainerLink[] {
  return links.map((text) => {
    const { name, alias } = parseLink(text);
    if (name === '')
      throw new EngineError('invalid', 'could not get container for : invalid name or ID supplied: ""');
    try {
      return { id: containers.resolve(name).id, alias };
    } catch (error) {
      // Not "not-found": clients would take it for the image's, and pull.
      throw new EngineError('invalid', `could not get container for ${name}: ${messageOf(error)}`, {
        cause: error,
      });
    }
  });
}
