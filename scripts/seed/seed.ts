// Fills the embedded registry of a data root with images made here: `bun scripts/seed/seed.ts <data-root>`.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LocalContentStore } from '../../src/content/local-content-store.ts';
import { publishImage } from '../../src/registry/server/publish-image.ts';
import { StoreBlobBackend } from '../../src/registry/server/store-blob-backend.ts';
import { busybox, helloWorld, packSeed } from './seed-images.ts';

const BUSYBOX = ['/usr/bin/busybox', '/bin/busybox'];

const [dataRoot] = process.argv.slice(2);
if (dataRoot === undefined) throw new Error('usage: seed.ts <data-root>');
const root = join(dataRoot, 'registry');
mkdirSync(root, { recursive: true, mode: 0o700 });
const backend = new StoreBlobBackend(
  await LocalContentStore.open(join(root, 'content')),
  join(root, 'repositories'),
);
const path = BUSYBOX.find((candidate) => readable(candidate));
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

function readable(path: string): boolean {
  try {
    return readFileSync(path).length > 0;
  } catch {
    return false;
  }
}
