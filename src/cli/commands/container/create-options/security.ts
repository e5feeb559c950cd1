import { EngineError } from '../../../../errors/engine-error.ts';
import { readTextFile } from './text-files.ts';

export interface SecurityOptions {
  options: string[] | null;
  maskedPaths: string[] | null;
  readonlyPaths: string[] | null;
}

/** `--security-opt`: seccomp profiles are read and sent whole, `systempaths=unconfined` clears the masked paths. */
export async function parseSecurityOptions(values: readonly string[]): Promise<SecurityOptions> {
  const unconfined = values.includes('systempaths=unconfined');
  const options: string[] = [];
  for (const value of values) {
    if (value === 'systempaths=unconfined') continue;
    const match = /^([^=:]+)[=:](.+)$/s.exec(value);
    if (match === null && value !== 'no-new-privileges')
      throw new EngineError('invalid', `Invalid --security-opt: ${JSON.stringify(value)}`);
    const [, key, file = ''] = match ?? [];
    if (key === 'seccomp' && file !== 'unconfined' && file !== 'builtin')
      options.push(`seccomp=${await profile(file)}`);
    else options.push(value);
  }
  return {
    options: options.length === 0 && !unconfined ? null : options,
    maskedPaths: unconfined ? [] : null,
    readonlyPaths: unconfined ? [] : null,
  };
}

async function profile(path: string): Promise<string> {
  let text: string;
  try {
    text = await readTextFile(path);
  } catch (error) {
    throw new EngineError('invalid', `opening seccomp profile (${path}) failed: ${(error as Error).message}`);
  }
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    throw new EngineError('invalid', `compacting json for seccomp profile (${path}) failed: invalid JSON`);
  }
}
