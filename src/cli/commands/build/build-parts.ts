import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { readIgnoreFile } from '../../../archive/ignore-file.ts';
import { EngineError, errnoCodeOf } from '../../../errors/engine-error.ts';
import type { BuildRequestJson } from '../../../wire/build.ts';
import type { CliContext } from '../../context.ts';
import type { ParsedFlags } from '../../flags/flag-set.ts';
import { reasonOf } from '../save-output.ts';
import type { Part } from './body-parts.ts';
import type { ContextPart } from './claim-directory.ts';
import type { ClientLayouts } from './client-layouts.ts';
import { checkDirectory, contextArchive } from './context-archive.ts';

export interface PreparedContext {
  context: BuildRequestJson['context'];
  dockerfile: BuildRequestJson['dockerfile'];
  parts: ContextPart[];
  /** What is sent of it; undefined: the daemon alone has it. */
  file: Uint8Array | undefined;
}

const URL_PREFIXES = ['http://', 'https://', 'git://', 'git@', 'ssh://', 'github.com/'];

export function isRemote(source: string): boolean {
  return URL_PREFIXES.some((prefix) => source.startsWith(prefix));
}

/** The context and the Dockerfile that a command line names. @throws EngineError "invalid" in Docker's words. */
export async function prepareContext(
  context: CliContext,
  source: string,
  flags: ParsedFlags,
): Promise<PreparedContext> {
  const path = flags.string('file');
  if (source === '-') return fromStdin(context, path);
  if (isRemote(source)) {
    if (path === '-') {
      const file = await readAll(context.stdin.chunks());
      return { context: { url: source }, dockerfile: { name: 'Dockerfile' }, parts: [], file };
    }
    return {
      context: { url: source },
      dockerfile: { path: path || 'Dockerfile' },
      parts: [],
      file: undefined,
    };
  }
  return await fromDirectory(context, source, path);
}

/** An archive, or a Dockerfile without context: the daemon finds out which. */
function fromStdin(context: CliContext, file: string): PreparedContext {
  if (file === '-')
    throw new EngineError(
      'invalid',
      "invalid argument: can't use stdin for both build context and dockerfile",
    );
  if (context.stdin.isTerminal)
    throw new EngineError('invalid', 'requested build context from stdin, but stdin is a terminal');
  const parts = [{ name: 'context:context', data: context.stdin.chunks() }];
  return { context: 'sent', dockerfile: { path: file || 'Dockerfile' }, parts, file: undefined };
}

async function fromDirectory(context: CliContext, source: string, file: string): Promise<PreparedContext> {
  const root = resolve(context.cwd, source);
  await checkDirectory(root, source);
  const path = file === '' ? resolve(root, 'Dockerfile') : resolve(context.cwd, file);
  const bytes =
    file === '-'
      ? await readAll(context.stdin.chunks())
      : await dockerfileAt(path, { isDefault: file === '' });
  const ignore = await ignoreFile(root, file === '-' ? undefined : path);
  const parts = [contextPart('context', root, ignore)];
  const name = file === '-' ? 'Dockerfile' : basename(path);
  return { context: 'sent', dockerfile: { name }, parts, file: bytes };
}

/** Each reading of its data is another archive of what is there then. */
function contextPart(name: string, root: string, ignore: readonly string[]): ContextPart {
  return {
    name: `context:${name}`,
    data: { [Symbol.asyncIterator]: () => contextArchive(root, ignore)[Symbol.asyncIterator]() },
    directory: { root, ignore },
  };
}

async function dockerfileAt(path: string, { isDefault }: { isDefault: boolean }): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT' && isDefault) {
      const lower = await readFile(path.replace(/Dockerfile$/, 'dockerfile')).catch(() => undefined);
      if (lower !== undefined) return lower;
    }
    throw new EngineError(
      'invalid',
      `failed to read dockerfile: open ${basename(path)}: ${reasonOf(error)}`,
      { cause: error },
    );
  }
}

/** The Dockerfile's own, or the context's. */
async function ignoreFile(root: string, dockerfile: string | undefined): Promise<string[]> {
  const places = [
    ...(dockerfile === undefined ? [] : [`${dockerfile}.dockerignore`]),
    resolve(root, '.dockerignore'),
  ];
  for (const place of places) {
    try {
      return readIgnoreFile(await readFile(place));
    } catch (error) {
      if (errnoCodeOf(error) !== 'ENOENT') throw error;
    }
  }
  return [];
}

async function readAll(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

/** `--build-context name=…`. @throws EngineError "invalid". */
export async function namedContexts(
  context: CliContext,
  flags: ParsedFlags,
  layouts: ClientLayouts,
): Promise<{ named: BuildRequestJson['namedContexts']; parts: ContextPart[] }> {
  const named: BuildRequestJson['namedContexts'] = {};
  const parts: ContextPart[] = [];
  for (const text of flags.list('build-context')) {
    const at = text.indexOf('=');
    if (at <= 0) throw new EngineError('invalid', `invalid context value: ${text}, expected key=value`);
    const name = text.slice(0, at).toLowerCase();
    const value = text.slice(at + 1);
    if (value.startsWith('docker-image://'))
      named[name] = { type: 'image', reference: value.slice('docker-image://'.length) };
    else if (value.startsWith('oci-layout://')) named[name] = await layouts.context(value);
    else if (isRemote(value)) named[name] = { type: 'remote', url: value };
    else {
      const root = resolve(context.cwd, value);
      await checkDirectory(root, value);
      named[name] = { type: 'local' };
      parts.push(contextPart(name, root, await ignoreFile(root, undefined)));
    }
  }
  return { named, parts };
}

/** `--secret id=…,src=…` and `env=…`. @throws EngineError "invalid" in buildx's words. */
export async function secretParts(context: CliContext, flags: ParsedFlags): Promise<Part[]> {
  return await Promise.all(
    flags.list('secret').map(async (text) => {
      const fields = new Map(
        text.split(',').map((field): [string, string] => {
          const at = field.indexOf('=');
          return at < 0 ? ['', field] : [field.slice(0, at).toLowerCase(), field.slice(at + 1)];
        }),
      );
      const id = fields.get('id') ?? '';
      if (id === '' || fields.has(''))
        throw new EngineError('invalid', `invalid field '${text}' must be a key=value pair`);
      const isEnv = fields.get('type') === 'env' || fields.has('env');
      const source = fields.get('src') ?? fields.get('source') ?? fields.get('env');
      const variable = isEnv
        ? (source ?? id)
        : source === undefined && context.env[id] !== undefined
          ? id
          : undefined;
      const data =
        variable === undefined
          ? await secretFile(context, source ?? id)
          : Buffer.from(context.env[variable] ?? '');
      return { name: `secret:${id}`, data: [data] };
    }),
  );
}

async function secretFile(context: CliContext, path: string): Promise<Uint8Array> {
  try {
    return await readFile(resolve(context.cwd, path));
  } catch (error) {
    throw new EngineError('invalid', `failed to stat ${path}: ${reasonOf(error)}`, { cause: error });
  }
}
