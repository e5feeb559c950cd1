import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { chmodSync, copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatPlatform, hostPlatform } from '../../../src/oci/platform.ts';
import { BuildFixture } from '../../clients/build/build-fixture.ts';
import { BUILDERS, builderOf } from '../../clients/build/builders.ts';
import { must } from '../../support/engine/command.ts';
import { busyboxPath } from '../../support/engine/seed-registry.ts';

const BINFMT = '/proc/sys/fs/binfmt_misc';
const HOST = formatPlatform(hostPlatform());
/** Machines that few have an interpreter for: the kernel's table is one for all, and what is there is not ours. */
const CANDIDATES = { 'qemu-mips64': 'mips64', 'qemu-loongarch64': 'loong64', 'qemu-riscv64': 'riscv64' };
/** No machine's header, so that nobody else's programs are meant: its kind is `S`. */
const MAGIC = '\x7fELF\x02\x01\x01SAMPAN-TEST';

let fixture: BuildFixture;
let entry = '';
let platform = '';

beforeAll(async () => {
  if (!existsSync(join(BINFMT, 'register')))
    await must(['mount', '-t', 'binfmt_misc', 'binfmt_misc', BINFMT]);
  const free = Object.entries(CANDIDATES).find(([name]) => !existsSync(join(BINFMT, name)));
  if (free === undefined) throw new Error('This host has interpreters for every machine of this test');
  entry = free[0];
  platform = `linux/${free[1]}`;
  fixture = await BuildFixture.start();
}, 300_000);

afterAll(async () => {
  if (entry !== '' && existsSync(join(BINFMT, entry))) writeFileSync(join(BINFMT, entry), '-1');
  await fixture?.close();
}, 300_000);

/** A static shell of the host's stands for an emulator: it reads the "program" behind its first line, which is a header alone. */
function register(flags: string): void {
  const folder = join(fixture.daemon.root, 'emulator');
  mkdirSync(folder, { recursive: true });
  copyFileSync(busyboxPath(), join(folder, 'sh'));
  chmodSync(join(folder, 'sh'), 0o755);
  const magic = [...Buffer.from(MAGIC, 'latin1')].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`);
  writeFileSync(join(BINFMT, 'register'), `:${entry}:M::${magic.join('')}::${join(folder, 'sh')}:${flags}`);
}

function unregister(): void {
  writeFileSync(join(BINFMT, entry), '-1');
}

const foreignShell = `${MAGIC} 2>/dev/null\nMACHINE=foreign\nshift\neval "$1"\n`;

function project(): string {
  const folder = fixture.project({
    Dockerfile:
      'FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH.sh /bin/sh\nRUN echo "made by ${MACHINE:-native}" > /made\n',
    [`${hostPlatform().architecture}.sh`]: '',
    [`${platform.replace('linux/', '')}.sh`]: Buffer.from(foreignShell, 'latin1'),
  });
  copyFileSync(busyboxPath(), join(folder, `${hostPlatform().architecture}.sh`));
  return folder;
}

const ADVICE = () =>
  `exit code: 1: this host has no interpreter for programs of ${platform} (binfmt_misc, with flag F): install qemu-user-static`;

describe.each(BUILDERS)('RUN of another platform: %s', (name) => {
  const build = builderOf(() => fixture, name);
  const made = async (...args: string[]) => {
    const out = fixture.output();
    const { code, stderr } = await build([...args, '--no-cache', '-o', out, project()]);
    expect(code, stderr).toBe(0);
    const read = (path: string) => Bun.file(join(out, path)).text();
    return { read };
  };

  test('without an interpreter it fails at once, and says what to install', async () => {
    const { code, stderr } = await build([
      '--no-cache',
      '--platform',
      `${HOST},${platform}`,
      '-o',
      fixture.output(),
      project(),
    ]);
    expect(code).toBe(1);
    expect(stderr).toContain('xec format error');
    expect(stderr).toContain(ADVICE());
    const native = await made('--platform', HOST);
    expect(await native.read('made')).toBe('made by native\n');
  }, 60_000);

  test('with one, registered while the daemon runs, it works, alone and beside the host’s', async () => {
    register('F');
    try {
      expect(await (await made('--platform', platform)).read('made')).toBe('made by foreign\n');
      const { read } = await made('--platform', `${HOST},${platform}`);
      expect(await read(`${HOST.replaceAll('/', '_')}/made`)).toBe('made by native\n');
      expect(await read(`${platform.replaceAll('/', '_')}/made`)).toBe('made by foreign\n');
    } finally {
      unregister();
    }
    // What was made then is there still.
    const again = await build(['--platform', platform, '-o', fixture.output(), project()]);
    expect(again.code, again.stderr).toBe(0);
  }, 60_000);

  test('one that a container can’t reach is none', async () => {
    register('');
    try {
      const { code, stderr } = await build(['--no-cache', '--platform', platform, project()]);
      expect(code).toBe(1);
      expect(stderr).toContain(ADVICE());
    } finally {
      unregister();
    }
  }, 60_000);
});

test('buildx is told of an interpreter as long as it is there', async () => {
  const told = async () => await fixture.daemon.out(['buildx', 'inspect']);
  expect(await told()).not.toContain(platform);
  register('F');
  try {
    expect(await told()).toContain(platform);
  } finally {
    unregister();
  }
  expect(await told()).not.toContain(platform);
}, 60_000);
