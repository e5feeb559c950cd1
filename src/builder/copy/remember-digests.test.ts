import { expect, test } from 'bun:test';
import { type Digest, parseDigest } from '../../oci/digest.ts';
import type { FilePlace } from '../sources/file-place.ts';
import type { FileAction } from './file-action.ts';
import type { FileRunner } from './file-job.ts';
import { rememberDigests } from './remember-digests.ts';

const signal = new AbortController().signal;

function counting(): FileRunner & { count: number } {
  const runner = {
    count: 0,
    prepare: () => undefined,
    digest: async (): Promise<Digest> => parseDigest(`sha256:${String(++runner.count).padStart(64, '0')}`),
    copy: () => Promise.reject(new Error('unused')),
    upper: () => Promise.reject(new Error('unused')),
    redate: async () => await Promise.reject(new Error('not asked for')),
    compress: () => Promise.reject(new Error('unused')),
    receive: () => Promise.reject(new Error('unused')),
    close: () => Promise.resolve(),
  };
  return runner;
}

function copyOf(source: FilePlace, path = '/'): FileAction[] {
  return [
    {
      kind: 'copy',
      source,
      path,
      destination: '/',
      owner: undefined,
      mode: '',
      wildcard: false,
      allowEmpty: false,
      followLinks: false,
      contentsOnly: true,
      include: [],
      exclude: [],
      required: [],
      unpack: false,
    },
  ];
}

const versioned = (version: string): FilePlace => ({ kind: 'directory', path: '/d', version });

test('the same files of the same version are digested once', async () => {
  const runner = counting();
  const files = rememberDigests(runner);
  const first = await files.digest({ actions: copyOf(versioned('1')) }, { signal });
  expect(await files.digest({ actions: copyOf(versioned('1')) }, { signal })).toBe(first);
  expect(runner.count).toBe(1);
});

test.each([
  ['another version', copyOf(versioned('2'))],
  ['another path', copyOf(versioned('1'), '/other')],
  [
    'a filter',
    copyOf({ ...versioned('1'), filter: { include: [], exclude: ['x'], follow: [] } } as FilePlace),
  ],
])('%s is digested anew', async (_, actions) => {
  const runner = counting();
  const files = rememberDigests(runner);
  await files.digest({ actions: copyOf(versioned('1')) }, { signal });
  await files.digest({ actions }, { signal });
  expect(runner.count).toBe(2);
});

test('a directory without a version is digested each time', async () => {
  const runner = counting();
  const files = rememberDigests(runner);
  for (let time = 0; time < 2; time++)
    await files.digest({ actions: copyOf({ kind: 'directory', path: '/d' }) }, { signal });
  expect(runner.count).toBe(2);
});
