import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import {
  existsSync,
  lstatSync,
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
import { failureOf } from '../../../test/support/failure-of.ts';
import { readFolderNote } from './folder-note.ts';
import { isGitUrl, parseGitReference } from './git-reference.ts';
import { GitSource } from './git-source.ts';
import type { RemoteFiles } from './remote-sources.ts';

const signal = new AbortController().signal;
let root: string;
let server: ReturnType<typeof Bun.serve>;
let remote: string;
let commits: string[] = [];

function git(...words: string[]): string {
  const config = [
    '-c',
    'user.name=t',
    '-c',
    'user.email=t@t',
    '-c',
    'init.defaultBranch=main',
    '-c',
    'commit.gpgsign=false',
  ];
  const child = Bun.spawnSync(['git', ...config, ...words], {
    cwd: join(root, 'work'),
    env: { PATH: process.env['PATH'] ?? '', HOME: root, GIT_CONFIG_NOSYSTEM: '1' },
  });
  if (child.exitCode !== 0) throw new Error(child.stderr.toString());
  return child.stdout.toString().trim();
}

function commit(): void {
  git('add', '-A');
  git('commit', '-q', '-m', 'c');
  commits.push(git('rev-parse', 'HEAD'));
}

/** A remote of the simplest kind: files, nothing shallow, no commits by name. */
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'git-source-'));
  const work = join(root, 'work');
  mkdirSync(join(work, 'sub'), { recursive: true });
  git('init', '-q');
  writeFileSync(join(work, 'file'), 'one');
  writeFileSync(join(work, 'sub', 'Dockerfile'), 'FROM scratch');
  symlinkSync('/etc', join(work, 'out'));
  writeFileSync(join(work, '.gitattributes'), 'file filter=evil\n');
  commit();
  git('tag', '-a', 'v1', '-m', 'v1');
  writeFileSync(join(work, 'file'), 'two');
  commit();
  git('checkout', '-q', '-b', 'other');
  writeFileSync(join(work, 'file'), 'three');
  commit();
  git('checkout', '-q', 'main');
  git('clone', '-q', '--bare', '.', join(root, 'remote.git'));
  git('--git-dir', join(root, 'remote.git'), 'update-server-info');
  server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: async ({ url }) => {
      const file = Bun.file(join(root, new URL(url).pathname));
      return (await file.exists()) ? new Response(file) : new Response('no', { status: 404 });
    },
  });
  remote = new URL('/remote.git', server.url).href;
});

afterAll(async () => {
  await server.stop(true);
  rmSync(root, { recursive: true, force: true });
  commits = [];
});

/** Of all processes, escapes of URLs undone. */
function commandLines(): string {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('%20', ' ');
      } catch {
        return '';
      }
    })
    .join('\n');
}

async function source(name: string): Promise<GitSource> {
  const made = new GitSource(join(root, name));
  await made.recover();
  return made;
}

function read({ place }: RemoteFiles, file: string): string {
  return place.kind === 'directory' ? readFileSync(join(place.path, file), 'utf8') : '';
}

describe('GitSource', () => {
  test('fetch() checks out HEAD, a branch, a tag and a commit', async () => {
    const sources = await source('refs');
    const [first = '', second = ''] = commits;
    for (const [ref, expected] of [
      ['', 'two'],
      ['#other', 'three'],
      ['#v1', 'one'],
      ['#refs/heads/main', 'two'],
      [`#${first}`, 'one'],
      [`?commit=${second.slice(0, 10)}`, 'two'],
    ]) {
      const files = await sources.fetch(remote + ref, { signal });
      expect(read(files, 'file')).toBe(expected ?? '');
      expect(files.key).toMatch(/^[0-9a-f]{40}/);
      await files.release();
    }
  });

  test('repositories and check-outs that nobody holds can be removed, and are fetched anew', async () => {
    const sources = await source('removed');
    const files = await sources.fetch(`${remote}#v1`, { signal });
    const [tree] = await sources.trees.list();
    const [repository] = await sources.repositories.list();
    expect([tree?.inUse, repository?.inUse]).toEqual([true, false]);
    expect((await readFolderNote(tree?.path ?? ''))?.description).toBe(`git snapshot for ${remote}#v1`);
    expect((await readFolderNote(repository?.path ?? ''))?.description).toBe(`shared git repo for ${remote}`);
    await files.release();
    await sources.trees.remove(tree?.name ?? '');
    await sources.repositories.remove(repository?.name ?? '');
    expect([await sources.trees.list(), await sources.repositories.list()]).toEqual([[], []]);
    const again = await sources.fetch(`${remote}#v1`, { signal });
    expect(read(again, 'file')).toBe('one');
    await again.release();
  });

  test('fetch() brings no .git, unless it is to keep it', async () => {
    const sources = await source('keep');
    const without = await sources.fetch(remote, { signal });
    const kept = await sources.fetch(remote, { signal, keepGitDir: true });
    const paths = [without, kept].map(({ place }) =>
      place.kind === 'directory' ? join(place.path, '.git') : '',
    );
    expect(paths.map((path) => existsSync(path))).toEqual([false, true]);
    expect(lstatSync(join(paths[0] ?? '', '..', 'file')).mode & 0o777).toBe(0o644);
  });

  test('fetch() gives a directory of it, but none behind a link', async () => {
    const sources = await source('directories');
    expect(read(await sources.fetch(`${remote}#main:sub`, { signal }), 'Dockerfile')).toBe('FROM scratch');
    const message = `subdir not a directory out in ${remote}`;
    expect(await failureOf(sources.fetch(`${remote}#main:out`, { signal }))).toMatchObject({
      kind: 'invalid',
      message,
    });
    expect(read(await sources.fetch(`${remote}#main:../../sub`, { signal }), 'Dockerfile')).toBe(
      'FROM scratch',
    );
  });

  test('fetch() refuses another commit, a missing ref, a name that is an option', async () => {
    const sources = await source('refusals');
    expect(await failureOf(sources.fetch(remote, { signal, checksum: '0123456789' }))).toMatchObject({
      code: 'digest-mismatch',
    });
    expect(await failureOf(sources.fetch(`${remote}#nope`, { signal }))).toHaveProperty(
      'message',
      expect.stringContaining('repository does not contain ref nope, output: ""'),
    );
    expect(await failureOf(sources.fetch(`${remote}#--upload-pack=x`, { signal }))).toHaveProperty(
      'message',
      expect.stringContaining('invalid git ref'),
    );
    expect(
      await failureOf(sources.fetch(`${new URL('/none.git', server.url).href}`, { signal })),
    ).toMatchObject({
      kind: 'invalid',
    });
  });

  test('fetch() logs in as the URL says, and puts the password into no words of a command', async () => {
    const asked: { login: string | null; isSeen: boolean }[] = [];
    const guarded = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: ({ url, headers }) => {
        asked.push({ login: headers.get('authorization'), isSeen: commandLines().includes('pass word') });
        const file = Bun.file(join(root, new URL(url).pathname));
        const expected = `Basic ${Buffer.from('me:pass word').toString('base64')}`;
        if (headers.get('authorization')?.toLowerCase() !== expected.toLowerCase())
          return new Response('no', { status: 401, headers: { 'WWW-Authenticate': 'Basic realm="x"' } });
        return file.size > 0 ? new Response(file) : new Response('no', { status: 404 });
      },
    });
    try {
      const address = `http://me:pass%20word@127.0.0.1:${guarded.port}/remote.git`;
      const files = await (await source('login')).fetch(address, { signal });
      expect(read(files, 'file')).toBe('two');
      expect(asked.length).toBeGreaterThan(0);
      expect(asked.some(({ isSeen }) => isSeen)).toBe(false);
    } finally {
      await guarded.stop(true);
    }
  });

  test('fetch() ends with the signal', async () => {
    const controller = new AbortController();
    controller.abort(new Error('enough'));
    expect(
      await failureOf((await source('aborted')).fetch(remote, { signal: controller.signal })),
    ).toHaveProperty('message', expect.stringContaining('enough'));
  });
});

describe('isGitUrl() takes as BuildKit does', () => {
  for (const [word, expected] of [
    ['https://example.com/a.git', true],
    ['https://example.com/a.git#main:dir', true],
    ['https://example.com/a', false],
    ['https://example.com/a.git/x', false],
    ['git://example.com/a', true],
    ['ssh://git@example.com/a', true],
    ['git@example.com:a/b', true],
    ['user@host.example:a.git#x', true],
    ['a.git', false],
    ['./a:b', false],
    ['file:///a.git', false],
  ] as const)
    test(word, () => expect(isGitUrl(word)).toBe(expected));
});

describe('parseGitReference()', () => {
  test('takes queries and fragments', () => {
    expect(
      parseGitReference('https://h/a.git?branch=b&subdir=/d/../e&keep-git-dir&submodules=false'),
    ).toEqual({
      remote: 'https://h/a.git',
      ref: 'refs/heads/b',
      directory: 'e',
      checksum: undefined,
      keepGitDir: true,
      submodules: false,
    });
    expect(parseGitReference('git@h:a.git#x:y')).toMatchObject({
      remote: 'git@h:a.git',
      ref: 'x',
      directory: 'y',
    });
  });

  test('refuses what contradicts itself, or is unknown', () => {
    expect(() => parseGitReference('https://h/a.git?ref=a#b')).toThrow('ref conflicts: "b" vs "a"');
    expect(() => parseGitReference('https://h/a.git?nope=1')).toThrow('unexpected query "nope"');
    expect(() => parseGitReference('https://h/a.git?ref=a&ref=b')).toThrow('query "ref" has multiple values');
  });
});
