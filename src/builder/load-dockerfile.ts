import type { Tree } from '../archive/tree.ts';
import { EngineError } from '../errors/engine-error.ts';
import { MAX_DOCKERFILE_BYTES } from '../wire/build.ts';
import type { ContextSource, ContextTree } from './build-session.ts';
import { sharedBytes } from './shared-bytes.ts';

const MAX_IGNORE_BYTES = 4 << 20;
const MAX_LINKS = 20;

/** A small file of a context; undefined where there is none. Links are followed inside the context. @throws EngineError "invalid" for what is no file, or too large. */
export async function readContextFile(
  tree: Tree,
  path: string,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  const place = await followed(tree, path);
  if (place === undefined) return undefined;
  const node = await tree.lookup(place);
  if (node === undefined) return undefined;
  if (node.type !== 'file')
    throw new EngineError('invalid', `failed to read ${path}: it is a ${node.type}, not a file`);
  if (node.size > maxBytes)
    throw new EngineError('invalid', `failed to read ${path}: larger than ${maxBytes} bytes`, {
      code: 'size-exceeded',
    });
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of tree.read(place)) {
    size += chunk.length;
    if (size > maxBytes)
      throw new EngineError('invalid', `failed to read ${path}: larger than ${maxBytes} bytes`);
    chunks.push(chunk.slice());
  }
  return sharedBytes(chunks, size);
}

async function followed(tree: Tree, path: string): Promise<string | undefined> {
  const pending = path.split('/');
  const done: string[] = [];
  let links = 0;
  for (let part = pending.shift(); part !== undefined; part = pending.shift()) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      done.pop();
      continue;
    }
    const node = await tree.lookup([...done, part].join('/'));
    if (node?.type !== 'symlink') {
      done.push(part);
      continue;
    }
    if (++links > MAX_LINKS) return undefined;
    const target = node.linkTarget ?? '';
    if (target.startsWith('/')) done.length = 0;
    pending.unshift(...target.split('/'));
  }
  return done.join('/');
}

/** The Dockerfile at `path`. @throws EngineError in BuildKit's words. */
export async function loadDockerfile(
  source: ContextSource,
  path: string,
  options: { signal: AbortSignal; received: (bytes: number) => void },
): Promise<{ text: Uint8Array; ignore: Uint8Array | undefined }> {
  const own = `${path}.dockerignore`;
  return await withTree(source, [path, own], options, async ({ tree }) => {
    const text = await readContextFile(tree, path, MAX_DOCKERFILE_BYTES);
    if (text === undefined)
      throw new EngineError('invalid', `failed to read dockerfile: open ${path}: no such file or directory`);
    return { text, ignore: await readContextFile(tree, own, MAX_IGNORE_BYTES) };
  });
}

/** The context's `.dockerignore`, as it is. */
export async function loadIgnoreFile(
  source: ContextSource,
  options: { signal: AbortSignal; received: (bytes: number) => void },
): Promise<Uint8Array | undefined> {
  return await withTree(source, ['.dockerignore'], options, async ({ tree }) =>
    readContextFile(tree, '.dockerignore', MAX_IGNORE_BYTES),
  );
}

async function withTree<T>(
  source: ContextSource,
  paths: readonly string[],
  options: { signal: AbortSignal; received: (bytes: number) => void },
  use: (opened: ContextTree) => Promise<T>,
): Promise<T> {
  const opened = await source.open({ include: paths, exclude: [], follow: paths }, options);
  try {
    return await use(opened);
  } finally {
    await opened.release();
  }
}
