import { afterEach, beforeEach, expect, test } from 'bun:test';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errno } from './errno.ts';
import { SyscallError } from './libc.ts';
import {
  bindMount,
  listMounts,
  makePrivate,
  mount,
  mountErofs,
  mountFilesystem,
  mountOverlay,
  mountOverlayByData,
  unmount,
  unmountIfMounted,
} from './mount.ts';

let base = '';

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'sampan-mount-'));
});

afterEach(() => {
  for (const { target } of mountsHere().reverse()) unmount(target, { detach: true });
  rmSync(base, { recursive: true });
});

const mountsHere = () => listMounts().filter(({ target }) => target.startsWith(`${base}/`));
const make = (...parts: string[]): string => {
  const path = join(base, ...parts);
  mkdirSync(path, { recursive: true });
  return path;
};
const caught = (task: () => void): unknown => {
  try {
    task();
    return undefined;
  } catch (error) {
    return error;
  }
};

test('mount(), bindMount(), makePrivate() and unmount()', () => {
  const [one, two] = [make('one with blank'), make('two')];
  mount({ source: 'none', target: one, type: 'tmpfs', data: 'size=64k' });
  writeFileSync(join(one, 'x'), 'here');
  bindMount(one, two);
  makePrivate(two);
  expect(readFileSync(join(two, 'x'), 'utf8')).toBe('here');
  expect(mountsHere().map(({ target, type }) => [target, type])).toEqual([
    [one, 'tmpfs'],
    [two, 'tmpfs'],
  ]);
  unmount(two);
  expect(unmountIfMounted(two)).toBe(false);
  expect(unmountIfMounted(join(base, 'absent'))).toBe(false);
  expect(unmountIfMounted(one)).toBe(true);
});

test('unmount() does not follow a symbolic link', () => {
  const target = make('target');
  mount({ source: 'none', target, type: 'tmpfs' });
  symlinkSync(target, join(base, 'link'));
  expect(unmountIfMounted(join(base, 'link'))).toBe(false);
  expect(mountsHere().length).toBe(1);
});

test('a busy mount is EBUSY, or goes when it is let go', () => {
  const target = make('busy');
  mount({ source: 'none', target, type: 'tmpfs' });
  writeFileSync(join(target, 'x'), '');
  const child = Bun.spawn(['sleep', '60'], { cwd: target });
  const error = caught(() => unmount(target));
  expect(error).toBeInstanceOf(SyscallError);
  expect((error as SyscallError).errno).toBe(errno.EBUSY);
  unmount(target, { detach: true });
  expect(mountsHere()).toEqual([]);
  child.kill();
});

test('a refused parameter is named, with the kernel’s own words', () => {
  const target = make('target');
  const error = caught(() =>
    mountFilesystem({ type: 'overlay', target, parameters: [['lowerdir+', join(base, 'absent')]] }),
  );
  expect(error).toMatchObject({ code: 'syscall-failed', errno: errno.ENOENT });
  expect(String(error)).toContain('(lowerdir+)');
  const unknown = caught(() => mountFilesystem({ type: 'no-such-fs', target, parameters: [] }));
  expect(String(unknown)).toContain('mount no-such-fs on');
  const noImage = caught(() => mountErofs({ image: join(base, 'absent'), devices: [], target }));
  expect(noImage).toMatchObject({ kind: 'internal', code: 'syscall-failed' });
});

for (const [how, overlay] of [
  ['parameters', mountOverlay],
  ['one page of data', mountOverlayByData],
] as const) {
  test(`an overlay of 127 lowers with long paths, by ${how}`, () => {
    const lowers = Array.from({ length: 127 }, (_, i) => {
      const lower = make('l'.repeat(120), `${'x'.repeat(64)}${i}`);
      writeFileSync(join(lower, `f${i}`), `${i}`);
      writeFileSync(join(lower, 'top'), `${i}`);
      return lower;
    });
    const [upper, work, target] = [make('upper'), make('work'), make('merged')];
    overlay({ lowers, writable: { upper, work }, target });
    expect(readdirSync(target).length).toBe(128);
    expect(readFileSync(join(target, 'top'), 'utf8')).toBe('0');
    writeFileSync(join(target, 'new'), 'x');
    expect(existsSync(join(upper, 'new'))).toBe(true);
    const options = mountsHere()[0]?.superOptions ?? '';
    expect(options).toContain(`upperdir=${upper}`);
    unmount(target);
    overlay({ lowers: lowers.slice(0, 2), target, readonly: true });
    expect(() => writeFileSync(join(target, 'y'), '')).toThrow('EROFS');
  });
}

test('lowers whose names mean something to mount options', () => {
  const lowers = ['a,b', 'c:d', 'e\\f'].map((name) => make(name));
  for (const lower of lowers) writeFileSync(join(lower, `in-${lower.length}-${lower.at(-1)}`), '');
  const target = make('merged');
  mountOverlay({ lowers, target });
  expect(readdirSync(target).length).toBe(3);
});
