import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const FILES_PER_FOLDER = 200;
const PIECE = 1 << 20;

/** A folder of `files` small files, of one to three kilobytes each, none of which any other seed's context has. */
export function manyFiles(folder: string, files: number, seed: string): void {
  rmSync(folder, { recursive: true, force: true });
  for (let at = 0; at < files; at++) {
    const into = join(folder, `src/part-${Math.floor(at / FILES_PER_FOLDER)}`);
    if (at % FILES_PER_FOLDER === 0) mkdirSync(into, { recursive: true });
    changeFile(join(into, `file-${at}.js`), `${seed} ${at}`);
  }
}

/** New content of a source file. */
export function changeFile(path: string, seed: string): void {
  const line = `${createHash('sha256').update(seed).digest('hex')}\n`;
  writeFileSync(path, line.repeat(16 + (line.charCodeAt(0) & 31)));
}

/** A folder of files of 10 MB that don't compress, and a small one. */
export function largeFiles(folder: string, megabytes: number): void {
  mkdirSync(join(folder, 'src'), { recursive: true });
  const piece = new Uint8Array(PIECE);
  for (let at = 0; at < PIECE; at += 65_536) crypto.getRandomValues(piece.subarray(at, at + 65_536));
  for (let at = 0; at < megabytes; at += 10) {
    const file = openSync(join(folder, `src/large-${at}`), 'w');
    for (let part = 0; part < Math.min(10, megabytes - at); part++) {
      new DataView(piece.buffer).setUint32(0, at + part);
      writeSync(file, piece);
    }
    closeSync(file);
  }
  changeFile(join(folder, 'src/small.js'), '');
}
