import { EngineError, messageOf } from '../../errors/engine-error.ts';
import type { HostOptions } from '../container.ts';
import { ownerOf } from '../namespaces/namespace-modes.ts';

/** Networks where a link is to a container that is there. */
const PREDEFINED = ['', 'default', 'bridge', 'none', 'host'];

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

type LinkHost = Pick<HostOptions, 'networkMode'>;

interface Linkable {
  id: string;
  record: { host: LinkHost };
}

interface Linkables {
  resolve(nameOrId: string): Linkable;
}

/**
 * What a new container's links mean. On a network of a user's, those to nobody mean nothing.
 *
 * @throws EngineError "invalid" in Docker's words.
 */
export function resolveLinks(
  { links, networkMode }: LinkHost & Pick<HostOptions, 'links'>,
  containers: Linkables,
): ContainerLink[] {
  const needed = PREDEFINED.includes(networkMode) || ownerOf(networkMode) !== undefined;
  return links.flatMap((text) => {
    const { name, alias } = parseLink(text);
    if (name === '')
      throw new EngineError('invalid', 'could not get container for : invalid name or ID supplied: ""');
    const linked = linkable(name, containers, { needed });
    if (linked === undefined) return [];
    if (needed && linked.record.host.networkMode === 'host')
      throw new EngineError(
        'invalid',
        "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
      );
    return [{ id: linked.id, alias }];
  });
}

/** The container of that name, or the one whose network it is in. */
function linkable(
  name: string,
  containers: Linkables,
  { needed }: { needed: boolean },
): Linkable | undefined {
  try {
    let linked = containers.resolve(name);
    for (;;) {
      const owner = ownerOf(linked.record.host.networkMode);
      if (owner === undefined) return linked;
      linked = containers.resolve(owner);
    }
  } catch (error) {
    if (!needed) return undefined;
    // Not "not-found": clients would take it for the image's, and pull.
    throw new EngineError('invalid', `could not get container for ${name}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
