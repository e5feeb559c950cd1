import { basename, dirname, join, normalize, resolve } from 'node:path';

/** `web:/etc/hosts` → container and path. What is absolute, begins with a dot or has no colon is a local path. */
export function splitArgument(text: string): { container: string; path: string } {
  const colon = text.indexOf(':');
  if (text.startsWith('/') || text.startsWith('.') || colon < 0) return { container: '', path: text };
  return { container: text.slice(0, colon), path: text.slice(colon + 1) };
}

/** Whether a path says that it is about what is in a directory: `dir/.` */
export function saysContent(path: string): boolean {
  return path === '.' || path.endsWith('/.');
}

/** Whether a path says that it is a directory. */
export function saysDirectory(path: string): boolean {
  return path.endsWith('/') || saysContent(path);
}

/** Absolute and clean, with the slash or `/.` that it ends in. */
export function absoluteLocal(cwd: string, path: string): string {
  return withEnd(resolve(cwd, path), path);
}

/** `path` with the end of `original`. */
export function withEnd(path: string, original: string): string {
  const stem = path === '/' ? '' : path;
  if (saysContent(original)) return saysContent(path) ? path : `${stem}/.`;
  return original.endsWith('/') && !path.endsWith('/') ? `${stem}/` : path;
}

/** Folder and last name; the name of `dir/.` is `.`, in `dir`. */
export function splitEntry(path: string): { directory: string; name: string } {
  const clean = normalize(path).replace(/(?<=.)\/$/, '');
  if (saysContent(path)) return { directory: clean, name: '.' };
  return { directory: dirname(clean), name: basename(clean) || '/' };
}

export function joinLink(path: string, target: string): string {
  return target.startsWith('/') ? target : join(splitEntry(path).directory, target);
}
