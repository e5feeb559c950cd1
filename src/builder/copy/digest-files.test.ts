import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { failureOf } from '../../../test/support/failure-of.ts';
import type { CopyAction } from './file-action.ts';
import { type CopyInstructionOptions, planCopy } from './plan-copy.ts';
import { runFileJob } from './run-file-job.ts';

const context = { signal: new AbortController().signal, progress: () => undefined };
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'digest-files-'));
  mkdirSync(join(root, 'd', 'e'), { recursive: true });
  writeFileSync(join(root, 'd', 'one'), '1');
  writeFileSync(join(root, 'd', 'e', 'two'), '2');
  writeFileSync(join(root, 'x.txt'), 'x');
  symlinkSync('d', join(root, 'link'));
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

async function digest(path: string, more: Partial<CopyInstructionOptions> = {}): Promise<unknown> {
  return await runFileJob({ kind: 'digest', actions: actionsOf(path, more) }, context);
}

function actionsOf(path: string, more: Partial<CopyInstructionOptions>): CopyAction[] {
  const options: CopyInstructionOptions = {
    command: 'COPY',
    destination: '/x/',
    workdir: '/',
    chown: '',
    chmod: '',
    parents: false,
    exclude: [],
    unpack: undefined,
    ...more,
  };
  return planCopy([{ kind: 'path', place: { kind: 'directory', path: root }, path }], options);
}

describe('the digest of what is copied', () => {
  test('knows no times and no files beside', async () => {
    const before = await digest('d');
    for (const path of ['d', 'd/one', 'd/e/two']) utimesSync(join(root, path), 1000, 1000);
    writeFileSync(join(root, 'x.txt'), 'y');
    expect(await digest('d')).toBe(before);
  });

  test('changes with content, mode, names, and what there is', async () => {
    const seen = [await digest('d')];
    const after = async (change: () => void): Promise<void> => {
      change();
      seen.push(await digest('d'));
    };
    await after(() => writeFileSync(join(root, 'd', 'one'), '!'));
    await after(() => chmodSync(join(root, 'd', 'one'), 0o755));
    await after(() => writeFileSync(join(root, 'd', 'three'), ''));
    await after(() => symlinkSync('one', join(root, 'd', 'four')));
    await after(() => mkdirSync(join(root, 'd', 'five')));
    await after(() => chmodSync(join(root, 'd'), 0o700));
    expect(new Set(seen).size).toBe(seen.length);
  });

  test('knows only what is selected', async () => {
    const before = [
      await digest('d', { exclude: ['e'] }),
      await digest('*.txt'),
      await digest('d/./e/two', { parents: true }),
    ];
    writeFileSync(join(root, 'd', 'e', 'other'), 'o');
    writeFileSync(join(root, 'y.md'), 'y');
    const after = [
      await digest('d', { exclude: ['e'] }),
      await digest('*.txt'),
      await digest('d/./e/two', { parents: true }),
    ];
    expect(after).toEqual(before);
    writeFileSync(join(root, 'y.txt'), 'y');
    expect(await digest('*.txt')).not.toBe(before[1]);
  });

  test('tells ways apart in which the same files come out otherwise', async () => {
    const ways = [
      digest('d'),
      digest('d/e', { parents: true }),
      digest('d/e'),
      digest('.'),
      digest('x.txt'),
      digest('x.txt', { command: 'ADD' }),
      digest('x*'),
    ];
    const [named, matched] = [await ways[4], await ways[6]];
    expect(matched).toBe(named);
    expect(new Set((await Promise.all(ways)).slice(0, 6)).size).toBe(6);
  });

  test('follows a link that is named', async () => {
    const before = await digest('link');
    writeFileSync(join(root, 'd', 'one'), 'other');
    expect(await digest('link')).not.toBe(before);
  });

  test('says what is not there in BuildKit’s words', async () => {
    const notFound = (path: string) => ({ kind: 'not-found', message: `"${path}": not found` });
    expect(await failureOf(digest('nope'))).toMatchObject(notFound('/nope'));
    expect(await failureOf(digest('../../d/nope/x'))).toMatchObject(notFound('/d/nope/x'));
    expect(await failureOf(digest('d/nope', { parents: true }))).toMatchObject(notFound('/d/nope'));
    expect(typeof (await digest('*.nope'))).toBe('string');
  });
});
