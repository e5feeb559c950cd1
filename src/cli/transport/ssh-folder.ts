import { lstat, mkdir } from 'node:fs/promises';
import { join } from 'node:path';

/** A socket's path has 108 bytes; ssh adds the hash of what it connects to, and a suffix while it begins. */
const LONGEST = 108 - 40 - 18;

/** Where ssh keeps the sockets of its shared connections: for the user's eyes only. Undefined: each connection is one of its own. */
export async function sshFolder(configDirectory: string): Promise<string | undefined> {
  const folder = join(configDirectory, '.ssh-control');
  // ssh would expand it.
  if (folder.length > LONGEST || /[%$~"\s]/.test(folder)) return undefined;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const status = await lstat(folder);
    const isOwn = status.isDirectory() && status.uid === process.geteuid?.() && (status.mode & 0o077) === 0;
    return isOwn ? folder : undefined;
  } catch {
    return undefined;
  }
}
