import type { BigIntStats } from 'node:fs';

declare const brand: unique symbol;
/** What a file is known by, whatever it is called: its inode, with its birth, since numbers of inodes come again. */
export type FileId = string & { readonly [brand]: 'FileId' };

export function fileId({ ino, birthtimeNs }: BigIntStats): FileId {
  return `${ino}.${birthtimeNs}` as FileId;
}

/** Undefined: not the text of one. */
export function parseFileId(text: string): FileId | undefined {
  return /^\d+\.\d+$/.test(text) ? (text as FileId) : undefined;
}
