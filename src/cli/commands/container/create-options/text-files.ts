import { EngineError, errnoCodeOf } from '../../../../errors/engine-error.ts';

const REASONS: Record<string, string> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EISDIR: 'is a directory',
  ENOTDIR: 'not a directory',
};

/** A file's text. @throws EngineError "invalid" in the words that Go has for it. */
export async function readTextFile(path: string): Promise<string> {
  try {
    return await Bun.file(path).text();
  } catch (error) {
    const reason = REASONS[errnoCodeOf(error) ?? ''] ?? errnoCodeOf(error) ?? 'unknown error';
    throw new EngineError('invalid', `open ${path}: ${reason}`, { cause: error });
  }
}

/** Lines of env files and label files: comments and empty ones left out, leading space dropped. */
async function readLines(path: string): Promise<string[]> {
  const text = (await readTextFile(path)).replace(/^\uFEFF/, '');
  return text
    .split('\n')
    .map((line) => line.replace(/\r$/, '').trimStart())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/** `key=value` lines; a key alone takes its value from `lookup`, or is left out. */
export async function readKeyValueFile(
  path: string,
  lookup: (key: string) => string | undefined,
): Promise<string[]> {
  const entries: string[] = [];
  for (const line of await readLines(path)) {
    const at = line.indexOf('=');
    const key = at < 0 ? line : line.slice(0, at);
    if (/[ \t]/.test(key))
      throw new EngineError('invalid', `invalid env file (${path}): variable '${key}' contains whitespaces`);
    if (key === '')
      throw new EngineError('invalid', `invalid env file (${path}): no variable name on line '${line}'`);
    if (at >= 0) entries.push(line);
    else {
      const value = lookup(key);
      if (value !== undefined) entries.push(`${key}=${value}`);
    }
  }
  return entries;
}
