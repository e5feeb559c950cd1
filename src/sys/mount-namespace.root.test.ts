import { afterEach, beforeEach, expect, test } from 'bun:test';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeMountNamespace } from './mount-namespace.ts';
import { inOwnNamespaces } from './testing/own-namespaces.ts';

// scripts/test.mjs makes us the first process of namespaces of our own: what follows must not happen in the machine's.
if (!inOwnNamespaces()) throw new Error('Run this file by scripts/test.mjs: it needs namespaces of its own');

// As on most machines.
Bun.spawnSync(['mount', '--make-rshared', '/']);

const program = `
import { ensureMountNamespace } from ${JSON.stringify(join(import.meta.dir, 'mount-namespace.ts'))};
const [execRoot, dataRoot, ...script] = process.argv.slice(2);
const before = process.pid;
try {
  ensureMountNamespace({ execRoot, dataRoot, argv: [process.execPath, ...process.argv.slice(1)], env: process.env });
} catch (error) {
  console.log('error ' + error.kind + ' ' + error.message);
  process.exit(1);
}
const done = Bun.spawnSync(['sh', '-c', script.join(' ')]);
console.log(JSON.stringify({ pid: process.pid, cwd: process.cwd(), output: done.stdout.toString() + done.stderr.toString() }));
if (process.env.STAY) setInterval(() => {}, 1000);
`;

let base = '';
let roots = { execRoot: '', dataRoot: '' };
const script = (): string => join(base, 'program.ts');

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'sampan-mntns-'));
  roots = { execRoot: join(base, 'exec root'), dataRoot: join(base, 'data') };
  writeFileSync(script(), program);
});

afterEach(() => {
  removeMountNamespace(roots);
  rmSync(base, { recursive: true });
});

async function inside(shell: string, env: Record<string, string> = {}) {
  const child = Bun.spawn([process.execPath, script(), roots.execRoot, roots.dataRoot, shell], {
    stdout: 'pipe',
    stderr: 'inherit',
    cwd: base,
    env: { ...process.env, ...env },
  });
  const { value } = await child.stdout.getReader().read();
  const text = new TextDecoder().decode(value);
  if (!text.startsWith('{')) throw new Error(text);
  const result = JSON.parse(text) as { pid: number; cwd: string; output: string };
  return { ...result, child };
}

const mountsOutside = (): string => readFileSync('/proc/self/mountinfo', 'utf8');

test('the process keeps pid and working directory, and is elsewhere', async () => {
  const { pid, cwd, output, child } = await inside('stat -Lc %i /proc/self/ns/mnt');
  expect(pid).toBe(child.pid);
  expect(cwd).toBe(base);
  expect(Number(output)).not.toBe(statSync('/proc/self/ns/mnt').ino);
  expect(Number(output)).toBe(statSync(join(roots.execRoot, 'mount-namespace/pin')).ino);
});

test('mounts made inside survive kill -9 of the process and stay unseen outside', async () => {
  const first = await inside(
    `mkdir -p '${roots.dataRoot}/m' && mount -t tmpfs kept '${roots.dataRoot}/m' && echo yes >'${roots.dataRoot}/m/file'`,
    { STAY: '1' },
  );
  expect(first.output).toBe('');
  first.child.kill('SIGKILL');
  await first.child.exited;
  expect(mountsOutside()).not.toContain('/data/m');
  expect(existsSync(join(roots.dataRoot, 'm/file'))).toBe(false);
  expect((await inside(`cat '${roots.dataRoot}/m/file'`)).output).toBe('yes\n');
});

test('elsewhere mounts go both ways', async () => {
  const late = join(base, 'late');
  const shared = join(base, 'shared');
  mkdirSync(late);
  mkdirSync(shared);
  const first = await inside(`mount -t tmpfs ours '${shared}'`, { STAY: '1' });
  expect(mountsOutside()).toContain(` ${shared} `);
  Bun.spawnSync(['mount', '-t', 'tmpfs', 'theirs', late]);
  first.child.kill('SIGKILL');
  await first.child.exited;
  expect((await inside(`stat -fc %T '${late}'`)).output).toBe('tmpfs\n');
  Bun.spawnSync(['umount', late, shared]);
});

test('a pin that is a plain file, as after a reboot, is made anew', async () => {
  await inside('true');
  removeMountNamespace(roots);
  expect(mountsOutside()).not.toContain('exec\\040root');
  expect(statSync(join(roots.execRoot, 'mount-namespace/pin')).size).toBe(0);
  const { output } = await inside('stat -Lc %i /proc/self/ns/mnt');
  expect(Number(output)).toBe(statSync(join(roots.execRoot, 'mount-namespace/pin')).ino);
});

test('two that start at once share one namespace', async () => {
  const [one, two] = await Promise.all([
    inside('stat -Lc %i /proc/self/ns/mnt'),
    inside('stat -Lc %i /proc/self/ns/mnt'),
  ]);
  expect(one.output).toBe(two.output);
});

test('a data root that comes later is private as well', async () => {
  await inside('true');
  roots.dataRoot = join(base, 'data2');
  await inside(`mkdir -p '${roots.dataRoot}/m' && mount -t tmpfs inner '${roots.dataRoot}/m'`);
  expect(mountsOutside()).not.toContain('/data2/m');
  removeMountNamespace({ ...roots, dataRoot: join(base, 'data') });
});

test('without CAP_SYS_ADMIN there is one clear error', async () => {
  mkdirSync(roots.execRoot);
  mkdirSync(roots.dataRoot);
  const without = ['setpriv', '--bounding-set', '-sys_admin', '--inh-caps', '-sys_admin'];
  const program = [process.execPath, script(), roots.execRoot, roots.dataRoot, 'true'];
  const child = Bun.spawnSync([...without, ...program]);
  expect(child.stdout.toString()).toMatch(
    /^error forbidden Cannot mount .* \(needs root with CAP_SYS_ADMIN\)\n$/,
  );
});

test('who is not root is told so', () => {
  chmodSync(base, 0o755);
  const program = [process.execPath, script(), roots.execRoot, roots.dataRoot, 'true'];
  const child = Bun.spawnSync(['setpriv', '--reuid', '65534', '--clear-groups', ...program]);
  expect(child.stdout.toString()).toMatch(/^error forbidden .*EACCES.* \(needs root with CAP_SYS_ADMIN\)\n$/);
});
