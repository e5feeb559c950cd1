import { EngineError } from '../../errors/engine-error.ts';

/** What a path is resolved in: nodes with links among them. */
export interface LinkedNode<Node> {
  readonly type: string;
  child(name: string): Node | undefined;
  attributes(): { linkTarget?: string };
}

export interface ResolvedPath<Node> {
  /** Components without links, from the root. */
  path: readonly string[];
  /** Undefined: nothing is there. */
  node: Node | undefined;
}

export interface ResolveOptions {
  followLast: boolean;
  /** Told of what leads out, which otherwise stays inside. */
  refuseWayOut?: (path: string) => never;
  /** Told of every link on the way. */
  onLink?: (path: readonly string[]) => void;
}

/** As continuity's `fs.RootPath`. */
const MAX_LINKS = 255;
const MAX_COMPONENTS = 8192;

/**
 * Where `path` leads from `root` when links are followed as if `root` were `/`: none leads out of it. Below what isn't there, or is no directory,
 * the rest is taken as written.
 *
 * @throws EngineError "invalid" for a loop.
 */
export function resolvePath<Node extends LinkedNode<Node>>(
  root: Node,
  path: string,
  { followLast, refuseWayOut, onLink }: ResolveOptions,
): ResolvedPath<Node> {
  const todo = componentsOf(path).reverse();
  const trail: { name: string; node: Node | undefined }[] = [];
  const here = (): Node | undefined => (trail.length === 0 ? root : trail.at(-1)?.node);
  let links = 0;
  for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
    if (name === '..') {
      if (trail.pop() === undefined) refuseWayOut?.(path);
      continue;
    }
    const node = here()?.child(name);
    if (node?.type === 'symlink' && (followLast || todo.length > 0)) {
      if (++links > MAX_LINKS) throw new EngineError('invalid', 'too many links');
      onLink?.([...trail.map((step) => step.name), name]);
      const { linkTarget = '' } = node.attributes();
      if (linkTarget.startsWith('/')) refuseWayOut?.(path);
      if (linkTarget.startsWith('/')) trail.length = 0;
      todo.push(...componentsOf(linkTarget).reverse());
    } else trail.push({ name, node });
    if (trail.length + todo.length > MAX_COMPONENTS)
      throw new EngineError('invalid', `Cannot resolve ${JSON.stringify(path.slice(0, 200))}: too long`);
  }
  return { path: trail.map((step) => step.name), node: here() };
}

/** The components of a path, without empty ones and `.`. */
export function componentsOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}
