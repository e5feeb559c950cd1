import { afterAll, beforeAll, expect, test } from 'bun:test';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const METADATA =
  '{"SchemaVersion":"0.1.0","Vendor":"V","Version":"1.2","ShortDescription":"Says what it is given"}';
const PLUGIN = `#!/bin/sh
if [ "$1" = docker-cli-plugin-metadata ]; then echo '${METADATA}'; exit; fi
echo "$@ | $DOCKER_HOST"
exit 7
`;
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sampan-plugins-'));
  mkdirSync(join(folder, 'cfg/cli-plugins'), { recursive: true });
  for (const [name, text] of [
    ['docker-echo', PLUGIN],
    ['docker-bad', '#!/bin/sh\necho none\n'],
    ['docker-not_a_name', PLUGIN],
  ] as const) {
    writeFileSync(join(folder, 'cfg/cli-plugins', name), text);
    chmodSync(join(folder, 'cfg/cli-plugins', name), 0o755);
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function docker(args: string[], env: Record<string, string> = {}) {
  const child = Bun.spawn([process.execPath, resolve(import.meta.dir, '../main.ts'), ...args], {
    env: {
      PATH: process.env['PATH'] ?? '',
      DOCKER_CONFIG: join(folder, 'cfg'),
      SAMPAN_PROGRAM: 'docker',
      ...env,
    },
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { stdout, stderr, code: await child.exited };
}

test('a plugin gets every word, and is told of our socket where none was named', async () => {
  expect(await docker(['--debug', 'echo', '--flag', 'a b'])).toEqual({
    stdout: '--debug echo --flag a b | unix:///run/sampan.sock\n',
    stderr: '',
    code: 7,
  });
  expect((await docker(['echo'], { DOCKER_HOST: 'tcp://h:1' })).stdout).toBe('echo | tcp://h:1\n');
  expect((await docker(['-H', 'tcp://h:2', 'echo'])).stdout).toBe('-H tcp://h:2 echo | \n');
  expect((await docker(['help', 'echo'])).stdout).toBe('help echo | unix:///run/sampan.sock\n');
});

test('help lists what can be used', async () => {
  const { stdout } = await docker(['--help']);
  expect(stdout).toMatch(/^ {2}echo\* +Says what it is given$/m);
  expect(stdout).not.toContain('bad*');
});

test('what is no plugin is an unknown command', async () => {
  expect(await docker(['not_a_name'])).toMatchObject({ code: 1, stdout: '' });
});
