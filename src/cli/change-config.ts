import { chmod, chown, mkdir, open, readlink, rename, stat, unlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { EngineError, errnoCodeOf, messageOf } from '../errors/engine-error.ts';
import { configPath, readConfigText } from './config-file.ts';
import type { CliContext } from './context.ts';

/** Write `config.json` anew. @throws EngineError "internal" that names it. */
export async function changeConfig(context: CliContext, edit: (text: string) => string): Promise<void> {
  const before = await readConfigText(context);
  const after = edit(before);
  if (after !== before) await writeConfig(configPath(context), after);
}

/** By a temporary file beside it, with the owner and mode that the file had; through symbolic links. */
async function writeConfig(path: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const target = await resolveLinks(path);
    const temporary = `${target}.${process.pid}.${crypto.randomUUID().slice(0, 8)}.tmp`;
    try {
      const file = await open(temporary, 'wx', 0o600);
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await copyOwner(target, temporary);
      await rename(temporary, target);
    } catch (error) {
      await unlink(temporary).catch(() => undefined);
      throw error;
    }
  } catch (error) {
    throw new EngineError('internal', `Cannot write ${path}: ${messageOf(error)}`, { cause: error });
  }
}

async function copyOwner(from: string, to: string): Promise<void> {
  const status = await stat(from).catch(() => undefined);
  if (status === undefined) return;
  await chown(to, status.uid, status.gid).catch(() => undefined);
  await chmod(to, status.mode & 0o7777);
}

const MAX_LINKS = 40;

async function resolveLinks(path: string): Promise<string> {
  let target = path;
  for (let links = 0; links < MAX_LINKS; links++) {
    try {
      target = resolve(dirname(target), await readlink(target));
    } catch (error) {
      const code = errnoCodeOf(error);
      if (code === 'EINVAL' || code === 'ENOENT') return target;
      throw error;
    }
  }
  throw new EngineError('invalid', `too many levels of symbolic links: ${path}`);
}
