// Fills the embedded registry of a data root with images made here: `bun scripts/seed/seed.ts <data-root>`.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openEngineRegistryRoot } from '../../src/daemon/embedded-registry/registry-root.ts';
import { OwnBlobCollector } from '../../src/registry/server/blob-collector.ts';
import { publishImage } from '../../src/registry/server/publish-image.ts';
import { StoreBlobBackend } from '../../src/registry/server/store-blob-backend.ts';
import { lockFile } from '../../src/storage/file-lock.ts';
import { isStaticProgram } from '../static-program.mjs';
import { busybox, helloWorld, packSeed } from './seed-images.ts';

const BUSYBOX = ['/usr/bin/busybox', '/bin/busybox'];

const [dataRoot] = process.argv.slice(2);
if (dataRoot === undefined) throw new Error('usage: seed.ts <data-root>');
mkdirSync(dataRoot, { recursive: true, mode: 0o710 });
// A running engine keeps the registry's tables in memory: nobody else may change them meanwhile.
const lock = lockFile(join(dataRoot, 'lock'), 'the data root');
const registry = await openEngineRegistryRoot(dataRoot);
const { content: store, pushed: index } = registry;
const backend = new StoreBlobBackend({
  store,
  index,
  keeper: new OwnBlobCollector(store, () => index.digests()),
});
const path = BUSYBOX.find((candidate) => isStaticProgram(candidate));
if (path === undefined)
  throw new Error('Cannot find the static busybox. Install the package busybox-static.');
const applets = execFileSync(path, ['--list-full'], { encoding: 'utf8' }).split('\n').filter(Boolean);
const seeds = [
  helloWorld(),
  busybox(new Uint8Array(readFileSync(path)), applets, process.arch === 'arm64' ? 'arm64' : 'amd64'),
];
for (const seed of seeds) {
  let digest = '';
  for (const image of await packSeed(seed)) digest = await publishImage(backend, image);
  console.log(`${seed.repository}:latest ${digest}`);
}
registry.release();
lock.release();
