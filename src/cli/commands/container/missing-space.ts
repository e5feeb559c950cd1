import { ApiError } from '../../../client/api-error.ts';
import { EngineError } from '../../../errors/engine-error.ts';
import { parseReference } from '../../../oci/reference.ts';
import { ExitError } from '../../cli-error.ts';
import type { Invocation } from '../../context.ts';

/** Folders at the root that programs are called from. */
const PROGRAM_FOLDERS = new Set([
  'bin',
  'sbin',
  'usr',
  'opt',
  'app',
  'entrypoint.sh',
  'docker-entrypoint.sh',
]);
/** Each costs a question to the daemon, in a command that has failed already. */
const MAX_QUESTIONS = 3;

/**
 * `run node/bin/echo hello` names an image `node/bin/echo`. What the failure is worth to who left out the space: the same error, with a hint where
 * what follows a slash looks like a program's path, or what precedes it is an image that is here.
 */
export async function withMissingSpace(
  { args, client }: Pick<Invocation, 'args' | 'client'>,
  error: unknown,
): Promise<unknown> {
  if (!(error instanceof EngineError) || error instanceof ExitError) return error;
  const [image = '', ...command] = args;
  const splits = splitsOf(image);
  const isHere = (name: string) =>
    client.images.inspect(name).then(
      () => true,
      () => false,
    );
  let meant = splits.find(({ path }) => looksLikeProgram(path));
  for (const split of meant === undefined ? splits.slice(0, MAX_QUESTIONS) : [])
    if (meant === undefined && (await isHere(split.name))) meant = split;
  return meant === undefined ? error : hinted(error, [meant.name, meant.path, ...command]);
}

interface Split {
  name: string;
  path: string;
}

/** Where an image's name could end and a path begin. */
function splitsOf(text: string): Split[] {
  const splits: Split[] = [];
  for (let at = text.indexOf('/'); at > 0; at = text.indexOf('/', at + 1)) {
    const [name, path] = [text.slice(0, at), text.slice(at)];
    if (path.length > 1 && isImageName(name)) splits.push({ name, path });
  }
  return splits;
}

/** Not a registry's host, though a name could be like that; `node:20` may be either, and images with such tags are many. */
function isImageName(text: string): boolean {
  if (/^(?:localhost|[^/]*\.[^/]*|[^/]*:\d{4,5})$/.test(text)) return false;
  try {
    parseReference(text);
    return true;
  } catch {
    return false;
  }
}

function looksLikeProgram(path: string): boolean {
  const [first = '', ...rest] = path.slice(1).split('/');
  return PROGRAM_FOLDERS.has(first) && (rest.length > 0 || first.endsWith('.sh'));
}

function hinted(error: EngineError, words: readonly string[]): EngineError {
  const meant = `Did you mean '${words.map(shown).join(' ')}'?`;
  const hint = error.hint === undefined ? meant : `${error.hint}\n${meant}`;
  if (error instanceof ApiError) return new ApiError(error.status, error.message, hint);
  return new EngineError(error.kind, error.message, { hint, cause: error });
}

function shown(word: string): string {
  return /^[\w./:=@%+,-]+$/.test(word) ? word : JSON.stringify(word);
}
