import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { must } from '../../support/engine/command.ts';
import { busyboxPath } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';
import { type BuiltNode, readSavedImage, type SavedImage, treeChanges } from './built-tree.ts';

interface Recorded {
  name: string;
  args: string[];
  files: Record<
    string,
    { mode?: string; text?: string; base64?: string; link?: string; directory?: boolean }
  >;
  config: Record<string, unknown>;
  /** What the image has otherwise than its base. */
  changes: Record<string, BuiltNode | null>;
}

/** Dockerfiles with what Docker 28.5 (buildx) made of them, on a base image made as below. */
const recorded = JSON.parse(readFileSync(join(import.meta.dir, 'dockerfiles.json'), 'utf8')) as Recorded[];

const work = mkdtempSync(join(tmpdir(), 'same-images-'));
const busybox = readFileSync(busyboxPath());
const busyboxDigest = createHash('sha256').update(busybox).digest('hex').slice(0, 12);
let daemon: TestDaemon;
let base: SavedImage;

async function saved(image: string): Promise<SavedImage> {
  const folder = mkdtempSync(join(work, 'saved-'));
  await daemon.out(['save', '-o', join(folder, 'image.tar'), image]);
  await must(['tar', '-C', folder, '-xf', join(folder, 'image.tar')]);
  const read = readSavedImage(folder, busyboxDigest);
  rmSync(folder, { recursive: true });
  return read;
}

/** The base that the recordings stand on: a busybox with all its names, two users, nothing else. */
async function importBase(): Promise<void> {
  const root = join(work, 'base');
  for (const name of ['bin', 'etc', 'tmp']) mkdirSync(join(root, name), { recursive: true });
  writeFileSync(join(root, 'bin/busybox'), busybox, { mode: 0o755 });
  for (const applet of (await must([busyboxPath(), '--list'])).trim().split('\n'))
    if (applet !== 'busybox') symlinkSync('busybox', join(root, 'bin', applet));
  const passwd = 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:n:/:/bin/sh\n';
  writeFileSync(join(root, 'etc/passwd'), passwd);
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nnobody:x:65534:\n');
  const tar = join(work, 'base.tar');
  await must([
    'tar',
    '-C',
    root,
    '--owner',
    '0',
    '--group',
    '0',
    '--mtime',
    '@0',
    '--sort=name',
    '-cf',
    tar,
    '.',
  ]);
  await daemon.out(['import', tar, 'base:1']);
}

function project({ name, files }: Recorded): string {
  const folder = join(work, name);
  mkdirSync(folder);
  const modes: [string, string][] = [];
  for (const [path, file] of Object.entries(files)) {
    const place = join(folder, path);
    mkdirSync(dirname(place), { recursive: true });
    if (file.link !== undefined) symlinkSync(file.link, place);
    else if (file.directory === true) mkdirSync(place, { recursive: true });
    else writeFileSync(place, file.text ?? Buffer.from(file.base64 ?? '', 'base64'));
    if (file.mode !== undefined) modes.push([place, file.mode]);
  }
  for (const [place, mode] of modes.reverse()) chmodSync(place, Number.parseInt(mode, 8));
  return folder;
}

beforeAll(async () => {
  daemon = await startDaemon();
  await importBase();
  base = await saved('base:1');
}, 60_000);

afterAll(async () => {
  await daemon?.close();
  rmSync(work, { recursive: true, force: true });
}, 60_000);

describe('an image has the tree and the config that Docker gives it', () => {
  for (const one of recorded)
    test(one.name, async () => {
      const folder = project(one);
      const client = one.name.length % 2 === 0 ? ('docker' as const) : ('sampan' as const);
      const built = await daemon.run(['build', '-t', `made-${one.name}`, ...one.args, folder], {
        env: { DOCKER_BUILDKIT: '0' },
        client,
      });
      expect(built.code, built.stdout + built.stderr).toBe(0);
      const image = await saved(`made-${one.name}`);
      expect(treeChanges(base.tree, image.tree)).toEqual(one.changes);
      expect(image.config).toEqual(one.config);
    }, 60_000);
});
