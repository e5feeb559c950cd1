import { EngineError } from '../../errors/engine-error.ts';

/** A repository as Dockerfiles and contexts name it, taken apart. */
export interface GitReference {
  /** What git is told to fetch from; may bear a password. */
  remote: string;
  /** Branch, tag, commit or a full name; '' for what the remote's HEAD is. */
  ref: string;
  /** Relative; '' for all of it. */
  directory: string;
  /** `?checksum=`, `?commit=` */
  checksum: string | undefined;
  /** `?keep-git-dir=` */
  keepGitDir: boolean | undefined;
  /** `?submodules=` */
  submodules: boolean;
}

const SCP_STYLE =
  /^([a-zA-Z0-9_][a-zA-Z0-9_.-]*@)([a-zA-Z0-9][a-zA-Z0-9.-]*):(?!\/\/)([^?#]*)(\?[^#]*)?(#.*)?$/;
const SCHEME = /^([a-zA-Z0-9]+):\/\//;
/** What git does not take for the name of a ref, and what its commands would take for an option. */
const UNSAFE_REF = /^-|[\s~^:?*[\\]|\p{Cc}/u;

/** Whether a word names a repository: `git@host:path`, `git://`, `ssh://`, or an http(s) URL whose path ends in `.git`. */
export function isGitUrl(source: string): boolean {
  const scheme = SCHEME.exec(source)?.[1]?.toLowerCase();
  if (scheme === undefined) return SCP_STYLE.test(source);
  if (scheme === 'git' || scheme === 'ssh') return true;
  return (
    (scheme === 'http' || scheme === 'https') &&
    URL.canParse(source) &&
    new URL(source).pathname.endsWith('.git')
  );
}

/** Whether it names a download. */
export function isHttpUrl(source: string): boolean {
  return /^https?:\/\//.test(source);
}

/**
 * Take a repository's name apart: `remote[?query][#ref[:directory]]`; a context may leave the scheme of `github.com/…` out.
 *
 * @throws EngineError "invalid" for a query or a ref that is none.
 */
export function parseGitReference(source: string): GitReference {
  const full = source.startsWith('github.com/') ? `https://${source}` : source;
  const [beforeFragment, fragment] = split(full, '#');
  const [remote, query] = split(beforeFragment, '?');
  const [ref, directory] = split(fragment, ':');
  const reference = { remote, ref, directory, ...readQuery(new URLSearchParams(query)) };
  const merged = {
    ...reference,
    ref: agreed('ref', ref, reference.queryRef),
    directory: relative(agreed('subdir', directory, reference.queryDirectory)),
  };
  if (UNSAFE_REF.test(merged.ref))
    throw new EngineError('invalid', `invalid git ref ${JSON.stringify(merged.ref)}`);
  const { checksum, keepGitDir, submodules } = merged;
  return { remote, ref: merged.ref, directory: merged.directory, checksum, keepGitDir, submodules };
}

/** The remote as it may be shown. */
export function shownRemote(remote: string): string {
  return remote.replace(/^([a-z]+:\/\/)[^/@]*@/i, '$1xxxxx@');
}

function split(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

function relative(directory: string): string {
  const kept: string[] = [];
  for (const name of directory.split('/'))
    if (name === '..') kept.pop();
    else if (name !== '' && name !== '.') kept.push(name);
  return kept.join('/');
}

function agreed(name: string, given: string, asked: string): string {
  if (given !== '' && asked !== '' && given !== asked)
    throw new EngineError(
      'invalid',
      `${name} conflicts: ${JSON.stringify(given)} vs ${JSON.stringify(asked)}`,
    );
  return given === '' ? asked : given;
}

function readQuery(query: URLSearchParams) {
  const found = {
    queryRef: '',
    queryDirectory: '',
    checksum: undefined as string | undefined,
    keepGitDir: undefined as boolean | undefined,
    submodules: true,
  };
  for (const key of new Set(query.keys())) {
    const values = query.getAll(key);
    if (values.length > 1)
      throw new EngineError('invalid', `query ${JSON.stringify(key)} has multiple values`);
    const value = values[0] ?? '';
    if (value === '' && key !== 'submodules' && key !== 'keep-git-dir')
      throw new EngineError('invalid', `query ${JSON.stringify(key)} has no value`);
    if (key === 'ref') found.queryRef = agreed('ref', found.queryRef, value);
    else if (key === 'tag') found.queryRef = agreed('ref', found.queryRef, prefixed(value, 'refs/tags/'));
    else if (key === 'branch') found.queryRef = agreed('ref', found.queryRef, prefixed(value, 'refs/heads/'));
    else if (key === 'subdir') found.queryDirectory = value;
    else if (key === 'checksum' || key === 'commit') found.checksum = value;
    else if (key === 'keep-git-dir') found.keepGitDir = flag(key, value);
    else if (key === 'submodules') found.submodules = flag(key, value);
    else throw new EngineError('invalid', `unexpected query ${JSON.stringify(key)}`);
  }
  return found;
}

function prefixed(value: string, prefix: string): string {
  return value.startsWith(prefix) ? value : prefix + value;
}

function flag(key: string, value: string): boolean {
  if (value === '' || /^(1|t|T|TRUE|true|True)$/.test(value)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(value)) return false;
  throw new EngineError('invalid', `invalid ${key} value: ${JSON.stringify(value)}`);
}
