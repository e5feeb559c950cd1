import { EngineError } from '../../errors/engine-error.ts';
import type { FilePlace } from '../sources/file-place.ts';
import { componentsOf } from '../sources/resolve-path.ts';
import { parseModeChange } from './change-mode.ts';
import type { CopyAction, FileOwner } from './file-action.ts';
import { hasWildcards } from './match-name.ts';

/** One source word of COPY or ADD, after its place was found. */
export type CopySource =
  /** A path in a context, a stage or an image. */
  | { kind: 'path'; place: FilePlace; path: string }
  /** A heredoc. */
  | { kind: 'text'; name: string; data: string }
  /** A downloaded file (`RemoteFiles` of a URL). */
  | { kind: 'url'; place: FilePlace; name: string }
  /** A checked-out repository: all of it. */
  | { kind: 'git'; place: FilePlace };

/** A COPY or ADD with its variables expanded. */
export interface CopyInstructionOptions {
  command: 'COPY' | 'ADD';
  /** As written; a relative one begins at `workdir`. */
  destination: string;
  /** Absolute. */
  workdir: string;
  chown: string;
  chmod: string;
  parents: boolean;
  exclude: readonly string[];
  /** ADD's `--unpack`; undefined: not given. */
  unpack: boolean | undefined;
  /** The source path has no wildcards, and what it names goes itself, attributes and all, where COPY takes what is in a directory. */
  asItIs?: true;
}

/**
 * The actions of one COPY or ADD, in the order of its sources.
 *
 * @throws EngineError "invalid" with BuildKit's words for a bad `--chown` or `--chmod`.
 */
export function planCopy(sources: readonly CopySource[], options: CopyInstructionOptions): CopyAction[] {
  parseModeChange(options.chmod);
  const common = {
    kind: 'copy' as const,
    destination: absolute(options.destination, options.workdir),
    owner: parseOwner(options.chown),
    mode: options.chmod,
    exclude: options.exclude,
  };
  return sources.map((source): CopyAction => {
    const plain = { ...common, ...PLAIN, source: placeOf(source) };
    switch (source.kind) {
      case 'text':
        return { ...plain, path: `/${source.name}` };
      case 'git':
        // As BuildKit: the root is a directory like any other, but it has no name.
        return { ...plain, path: '/' };
      case 'url':
        return { ...plain, path: `/${source.name}`, unpack: options.unpack ?? false };
      case 'path':
        return {
          ...plain,
          ...selection(source.path, options),
          unpack: options.unpack ?? options.command === 'ADD',
        };
    }
  });
}

const PLAIN = {
  wildcard: false,
  allowEmpty: false,
  followLinks: false,
  contentsOnly: false,
  include: [],
  required: [],
  unpack: false,
} as const;

function placeOf(source: CopySource): FilePlace {
  if (source.kind !== 'text') return source.place;
  return { kind: 'texts', texts: [{ name: source.name, data: source.data }] };
}

function selection(
  source: string,
  { parents, asItIs }: CopyInstructionOptions,
): Pick<
  CopyAction,
  'path' | 'include' | 'required' | 'wildcard' | 'allowEmpty' | 'followLinks' | 'contentsOnly'
> {
  const common = { wildcard: true, allowEmpty: true, followLinks: true, contentsOnly: true };
  if (asItIs) return { ...PLAIN, path: normalized(source), followLinks: true };
  if (!parents) return { ...common, path: normalized(source), include: [], required: [] };
  const pivot = source.indexOf('/./');
  const base = pivot === -1 ? '/' : normalized(source.slice(0, pivot));
  const pattern = normalized(pivot === -1 ? source : source.slice(pivot + 3)).slice(1);
  const isPlain = !hasWildcards(base) && !hasWildcards(pattern);
  const required = isPlain ? [normalized(`${base}/${pattern}`)] : [];
  return { ...common, path: base, include: [pattern], required };
}

/** Absolute and clean; a slash at the end stays. */
function normalized(path: string): string {
  const kept: string[] = [];
  for (const name of componentsOf(path))
    if (name === '..') kept.pop();
    else kept.push(name);
  return `/${kept.join('/')}`;
}

function absolute(destination: string, workdir: string): string {
  const path = normalized(destination.startsWith('/') ? destination : `${workdir}/${destination}`);
  const isDirectory = /(^|\/)\.?$/.test(destination);
  return isDirectory && path !== '/' ? `${path}/` : path;
}

/** `--chown`'s value. Undefined for ''. @throws EngineError "invalid". */
export function parseOwner(text: string): FileOwner | undefined {
  if (text === '') return undefined;
  const colon = text.indexOf(':');
  const user = colon === -1 ? text : text.slice(0, colon);
  const group = colon === -1 ? undefined : text.slice(colon + 1);
  if (user === '' && (group ?? '') === '')
    throw new EngineError('invalid', `invalid chown parameter: ${JSON.stringify(text)}`);
  return { user, group: group === '' ? undefined : group };
}
