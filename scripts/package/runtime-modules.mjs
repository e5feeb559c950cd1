// What of node_modules the engine runs on. The library that npm packs needs none of it, so package.json has these beside the tools.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../toolchain.mjs';

/** Imported by `src`; Bun lies beside them. A test holds the list against the imports. */
const RUNTIME_MODULES = JSON.parse(readFileSync(new URL('runtime-modules.json', import.meta.url), 'utf8'));

/** Those and all that they need, as folders below node_modules. */
export function runtimeClosure() {
  const found = new Set();
  const visit = (name, from) => {
    const folder = [join(from, 'node_modules', name), join('node_modules', name)].find((path) =>
      existsSync(join(root, path, 'package.json')),
    );
    if (folder === undefined)
      throw new Error(`Cannot find ${name}, which ${from || 'the engine'} needs. Run \`npm ci\` first.`);
    if (found.has(folder)) return;
    found.add(folder);
    const { dependencies = {} } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
    for (const needed of Object.keys(dependencies)) visit(needed, folder);
  };
  for (const name of RUNTIME_MODULES) visit(name, '');
  return [...found].sort((one, other) => (one < other ? -1 : 1));
}
