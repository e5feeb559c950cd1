import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoCodeOf } from '../../errors/engine-error.ts';
import { writeFileAtomic } from '../../storage/atomic-file.ts';

/** What a folder of fetched files has beside them. */
export interface FolderNote {
  /** What it is, for people: without anybody's credentials. */
  description: string;
  /** Of a download: digest of the file, its name, the server's tag for it. */
  download?: { digest: string; name: string; etag: string };
}

export async function writeFolderNote(folder: string, note: FolderNote): Promise<void> {
  await writeFileAtomic(join(folder, 'note.json'), JSON.stringify(note), { durable: false });
}

/** Undefined where there is none, or half of one. */
export async function readFolderNote(folder: string): Promise<FolderNote | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, 'note.json'), 'utf8')) as FolderNote;
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
