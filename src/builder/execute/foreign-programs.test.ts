import { expect, test } from 'bun:test';
import { hostPlatform, parsePlatform } from '../../oci/platform.ts';
import { ForeignPrograms } from './foreign-programs.ts';

const host = hostPlatform();
const foreign = parsePlatform(host.architecture === 's390x' ? 'linux/amd64' : 'linux/s390x');
const refused = Buffer.from('exec container process `/bin/sh`: Exec format error\n');

test('advice() is for programs of another platform that were refused, where no interpreter is there', async () => {
  const programs = new ForeignPrograms(foreign);
  expect(await programs.advice(async () => [host])).toBe('');
  programs.see(Buffer.from('something else\n'));
  expect(await programs.advice(async () => [host])).toBe('');
  programs.see(refused);
  const advice = await programs.advice(async () => [host]);
  expect(advice).toContain(`no interpreter for programs of linux/${foreign.architecture} `);
  expect(advice).toContain('install qemu-user-static');
  expect(await programs.advice(async () => [host, foreign])).toBe('');
});

test.each([
  'exec container process (missing dynamic library?) `/bin/sh`: No such file or directory',
  'exec /bin/sh: no such file or directory',
  '/bin/sh: /app/tool: cannot execute binary file: Exec format error',
])('advice() is for %s', async (line) => {
  const programs = new ForeignPrograms(foreign);
  programs.see(Buffer.from(`${line}\n`));
  expect(await programs.advice(async () => [host])).not.toBe('');
});

test('advice() is for a foreign command that can’t be started: an interpreter without flag F is not found in a root', async () => {
  const programs = new ForeignPrograms(foreign);
  programs.notStarted();
  expect(await programs.advice(async () => [host])).toContain('with flag F');
});

test('advice() has nothing to say of the host’s own programs', async () => {
  const programs = new ForeignPrograms(host);
  programs.see(refused);
  programs.notStarted();
  expect(await programs.advice(async () => [])).toBe('');
});
