import { afterEach, beforeEach, expect, test } from 'bun:test';
import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { silentLogger } from '../../errors/logger.ts';
import { listMounts } from '../../sys/mount.ts';
import { ConmonRuntime } from '../conmon/conmon-runtime.ts';
import { rejection } from '../testing/conformance.ts';
import { openRealSubject, type RealSubject } from '../testing/real-subject.ts';
import { ProvenBinary } from './proven-binary.ts';

const signal = new AbortController().signal;
const filter = { key: 'key', filter: Buffer.from('filter') };
let subject: RealSubject;
let path: string;
let trials: number;

beforeEach(async () => {
  subject = await openRealSubject('crun');
  path = join(subject.directory, 'crun-copy');
  copyFileSync(subject.probed.binary.path, path);
  trials = 0;
});

afterEach(async () => {
  await subject.close();
});

function proven(more: Partial<ConstructorParameters<typeof ProvenBinary>[0]> = {}): ProvenBinary {
  return new ProvenBinary({
    path,
    mountDirectory: join(subject.directory, 'bin'),
    trial: async () => {
      trials++;
      return filter;
    },
    logger: silentLogger,
    ...more,
  });
}

function mountsBelow(folder: string): number {
  return listMounts().filter(({ target }) => target.startsWith(`${subject.directory}/${folder}/`)).length;
}

test('proof() comes with the trial, and with the file through a mount that nobody can write to', async () => {
  const binary = proven();
  expect(binary.proof()).toBeUndefined();
  await binary.warm();
  const executable = binary.proof()?.executable ?? '';
  expect(executable).toBe(join(subject.directory, 'bin/1/crun-copy'));
  expect(statSync(executable).ino).toBe(statSync(path).ino);
  expect(await rejection((async () => writeFileSync(executable, 'x'))())).toMatchObject({ code: 'EROFS' });
  await binary.close();
  expect([mountsBelow('bin'), binary.proof()]).toEqual([0, undefined]);
});

test('a file that was replaced, or written to, is tried and mounted again, and what runs keeps its own', async () => {
  const binary = proven();
  await binary.warm();
  const first = binary.proof()?.executable ?? '';
  const inode = statSync(path).ino;
  copyFileSync(path, `${path}.new`);
  renameSync(`${path}.new`, path);
  expect(binary.proof()).toBeUndefined();
  await binary.idle();
  const second = binary.proof()?.executable ?? '';
  expect([trials, statSync(first).ino, statSync(second).ino]).toEqual([2, inode, statSync(path).ino]);
  writeFileSync(path, readFileSync(path));
  expect(binary.proof()).toBeUndefined();
  await binary.idle();
  expect([trials, mountsBelow('bin')]).toEqual([3, 3]);
  await binary.close();
  expect([mountsBelow('bin'), existsSync(join(subject.directory, 'bin'))]).toEqual([0, false]);
});

test('the mount of a daemon that was killed is taken away, also below a link', async () => {
  symlinkSync(subject.directory, join(subject.directory, 'link'));
  await proven().warm();
  const after = proven({ mountDirectory: join(subject.directory, 'link/bin') });
  await after.warm();
  expect(mountsBelow('bin')).toBe(1);
  await after.close();
});

test('no proof for what fails its trial, for another runtime, or once it was distrusted', async () => {
  const failing = proven({ trial: () => Promise.reject(new Error('no')) });
  await failing.warm();
  expect(failing.proof()).toBeUndefined();
  const other = proven({ trial: async () => undefined });
  await other.warm();
  expect([other.proof(), existsSync(join(subject.directory, 'bin'))]).toEqual([undefined, false]);
  const binary = proven();
  await binary.warm();
  binary.distrust();
  expect(binary.proof()).toBeUndefined();
  await binary.close();
});

test('without a mount namespace of our own the file itself is executed', async () => {
  const binary = proven({ mountDirectory: undefined });
  await binary.warm();
  expect(binary.proof()?.executable).toBe(path);
  await binary.close();
});

test('containers are made by the mounted binary, which does not execute itself anew', async () => {
  const { directory, probed, cgroupParent } = subject;
  const runtime = new ConmonRuntime({ directory, probed, cgroupParent, ownMountNamespace: true });
  const executed = async (): Promise<string> => {
    const handle = await runtime.create(subject.request(['sleep', '60']), { signal });
    const executable = executedAs(handle.pid);
    await runtime.remove(handle);
    return executable;
  };
  expect(await executed()).toStartWith('/dev/fd/');
  await runtime.warm();
  expect(await executed()).toBe(join(directory, 'bin/1/crun'));
  await runtime.close();
});

/** What execve(2) was last called with for this process, or for the one it was forked from (AT_EXECFN, getauxval(3)). */
function executedAs(pid: number): string {
  const AT_EXECFN = 31n;
  const vector = readFileSync(`/proc/${pid}/auxv`);
  const name = Buffer.alloc(256);
  for (let at = 0; at < vector.length; at += 16) {
    if (vector.readBigUInt64LE(at) !== AT_EXECFN) continue;
    const memory = openSync(`/proc/${pid}/mem`, 'r');
    readSync(memory, name, 0, name.length, vector.readBigUInt64LE(at + 8));
    closeSync(memory);
  }
  return name.toString('utf8', 0, name.indexOf(0));
}
