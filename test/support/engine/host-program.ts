import { copyFileSync, mkdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { must } from './command.ts';

/** Copy a program of this host with the libraries that it needs below `root`, under the paths that they have here. */
export async function copyHostProgram(name: string, root: string): Promise<string> {
  const path = Bun.which(name);
  if (path === null) throw new Error(`${name} is not here (npm run setup -- --tests)`);
  const listed = await must(['ldd', path]);
  const libraries = [...listed.matchAll(/(\/[^\s()]+)/g)].map(([, file = '']) => file);
  for (const file of [path, ...libraries]) {
    const target = join(root, file);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(realpathSync(file), target);
  }
  return path;
}
