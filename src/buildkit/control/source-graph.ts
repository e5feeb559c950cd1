import { fromBinary } from '@bufbuild/protobuf';
import type { NamedContext } from '../../builder/build-request.ts';
import { EngineError } from '../../errors/engine-error.ts';
import { type Definition, type FileOp, type Op, OpSchema } from '../protocol/generated/llb_pb.ts';

/** An image that a build of this engine made, in a graph that it hands to its client. */
export const RESULT_IMAGE = 'docker-image://sampan.local/result@';

/** What a client's graph comes to: files of a URL (a repository's, an archive's), one file of a URL under a name of the client's, or a build's result. */
export type GraphSource =
  | Extract<NamedContext, { type: 'image' | 'remote' }>
  | { type: 'file'; url: string; name: string; checksum: string | undefined };

/** A repository by its URL alone, or by an address of ssh. */
const REPOSITORY =
  /^(github\.com\/[^?#]+|https?:\/\/[^?#]+\.git|(git|ssh):\/\/[^?#]+|[A-Za-z0-9_.-]+@[A-Za-z0-9.-]+:[^?#]+)$/;
/** Clients' graphs have a node or two. */
const MAX_NODES = 16;

/**
 * Understand a graph that names a source, whole or a directory of it: what clients send for remote contexts and bake files.
 *
 * @throws EngineError "not-implemented" for graphs that would have to be run.
 */
export function readGraph({ def }: Pick<Definition, 'def'>): GraphSource {
  if (def.length === 0 || def.length > MAX_NODES) throw notRun();
  const nodes = new Map(def.map((bytes) => [digestOf(bytes), decoded(bytes)]));
  const head = decoded(def.at(-1) as Uint8Array);
  return sourceOf(head.op.case === undefined ? inputOf(head, nodes) : head, nodes);
}

/** A node by what it is made of. */
export function digestOf(bytes: Uint8Array): string {
  return `sha256:${new Bun.CryptoHasher('sha256').update(bytes).digest('hex')}`;
}

function decoded(bytes: Uint8Array): Op {
  try {
    return fromBinary(OpSchema, bytes);
  } catch (error) {
    throw new EngineError('invalid', 'failed to parse llb proto op', { cause: error });
  }
}

/** No node can be its own input: it is named by its digest. */
function inputOf({ inputs }: Op, nodes: ReadonlyMap<string, Op>): Op {
  const [input] = inputs;
  const node = input === undefined ? undefined : nodes.get(input.digest);
  if (node === undefined || inputs.length !== 1 || input?.index !== 0n) throw notRun();
  return node;
}

function sourceOf(node: Op, nodes: ReadonlyMap<string, Op>): GraphSource {
  const { op } = node;
  if (op.case === 'file') return partOf(sourceOf(inputOf(node, nodes), nodes), op.value);
  if (op.case !== 'source') throw notRun();
  const { identifier, attrs } = op.value;
  if (identifier.startsWith(RESULT_IMAGE))
    return { type: 'image', reference: identifier.slice(RESULT_IMAGE.length) };
  if (identifier.startsWith('git://')) return { type: 'remote', url: gitUrl(identifier, attrs) };
  if (!/^https?:\/\//.test(identifier)) throw notRun();
  const checksum = attrs['http.checksum'] ?? '';
  return {
    type: 'file',
    url: identifier,
    name: attrs['http.filename'] ?? 'download',
    checksum: checksum === '' ? undefined : checksum,
  };
}

/** `git://host/path#ref:directory`, with how it is spoken to beside it. */
function gitUrl(identifier: string, attrs: Readonly<Record<string, string>>): string {
  const [name = '', fragment = ''] = identifier.slice('git://'.length).split('#', 2);
  const full = attrs['git.fullurl'] ?? `https://${name}`;
  // That host's repositories need no ending, but then no scheme either.
  const remote = full.replace(/^https:\/\/(github\.com\/[^?#]+)(?<!\.git)$/, '$1');
  if (!REPOSITORY.test(remote)) throw notRun();
  const query = new URLSearchParams();
  const checksum = attrs['git.checksum'] ?? '';
  if (checksum !== '') query.set('checksum', checksum);
  if (attrs['git.keepgitdir'] === 'true') query.set('keep-git-dir', 'true');
  if (attrs['git.skipsubmodules'] === 'true') query.set('submodules', 'false');
  return `${remote}${query.size === 0 ? '' : `?${query.toString()}`}${fragment === '' ? '' : `#${fragment}`}`;
}

/** A directory of a repository, or the files of an archive, as a tree of its own. */
function partOf(source: GraphSource, { actions }: FileOp): GraphSource {
  const [action] = actions;
  if (action?.action.case !== 'copy' || actions.length !== 1) throw notRun();
  const { input, secondaryInput } = action;
  const { src, dest, dirCopyContents, attemptUnpackDockerCompatibility: unpacks } = action.action.value;
  const { includePatterns, excludePatterns } = action.action.value;
  const isPlain = input === -1n && secondaryInput === 0n && dest === '/';
  if (!isPlain || includePatterns.length + excludePatterns.length > 0) throw notRun();
  if (source.type === 'file' && unpacks && src === `/${source.name}` && source.checksum === undefined)
    return { type: 'remote', url: source.url };
  if (source.type !== 'remote' || !dirCopyContents) throw notRun();
  return { type: 'remote', url: belowUrl(source.url, src) };
}

/** Of a repository alone: there a directory is part of the name. */
function belowUrl(url: string, path: string): string {
  const inside = path.split('/').filter((name) => name !== '' && name !== '.');
  if (inside.length === 0) return url;
  if (inside.includes('..') || !/\.git([?#]|$)|^(git|ssh):\/\/|^[^/:]+@|^github\.com\//.test(url))
    throw notRun();
  const [remote = '', fragment = ''] = url.split('#', 2);
  const [ref = '', directory = ''] = fragment.split(':', 2);
  return `${remote}#${ref}:${[...directory.split('/'), ...inside].filter((name) => name !== '').join('/')}`;
}

function notRun(): EngineError {
  return new EngineError('not-implemented', 'building a graph is not implemented; Dockerfiles are');
}
