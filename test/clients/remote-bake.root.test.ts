import { afterAll, beforeAll, expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { must } from '../support/engine/command.ts';
import { type ServedRepository, serveRepository } from '../support/engine/served-repository.ts';
import { BuildFixture } from './build/build-fixture.ts';

// What buildx lets the daemon fetch, and looks into before it asks for a build: bake files and Dockerfiles of elsewhere.
let fixture: BuildFixture;
let repository: ServedRepository;
let files: ReturnType<typeof Bun.serve>;

const BAKE = `
target "default" {
  context = "sub"
  output = ["type=local,dest=out"]
}
target "whole" {
  output = ["type=local,dest=out"]
}
`;

beforeAll(async () => {
  await must(['ip', 'link', 'set', 'lo', 'up']);
  fixture = await BuildFixture.start();
  repository = serveRepository(join(fixture.daemon.root, 'repository'), {
    'docker-bake.hcl': BAKE,
    Dockerfile: 'FROM scratch\nCOPY more/f /\n',
    'sub/Dockerfile': 'FROM scratch\nCOPY f /\n',
    'sub/f': 'of sub\n',
    'more/f': 'of more\n',
  });
  const served: Record<string, string> = {
    '/bake.hcl':
      'target "default" {\n dockerfile-inline = "FROM scratch\\nCOPY f /"\n output = ["type=local,dest=out"]\n}\n',
    '/Other.Dockerfile': 'FROM scratch\nCOPY f /by-url\n',
  };
  files = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: (request) => {
      const body = served[new URL(request.url).pathname];
      return new Response(body ?? '', { status: body === undefined ? 404 : 200 });
    },
  });
}, 120_000);
afterAll(async () => {
  await files?.stop(true);
  repository?.[Symbol.dispose]();
  await fixture?.close();
}, 60_000);

/** Run buildx in a folder of its own. @returns what lies in `out` then. */
async function buildx(
  ...words: string[]
): Promise<{ code: number; said: string; out: (path: string) => string }> {
  const folder = fixture.project({ f: 'of the client\n' });
  const { code, stdout, stderr } = await fixture.daemon.run(['buildx', ...words], {
    client: 'docker',
    cwd: folder,
    timeoutMs: 60_000,
  });
  const out = (path: string): string => {
    const file = join(folder, 'out', path);
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  };
  return { code, said: stdout + stderr, out };
}

test('bake: a repository with its file, a directory of it as context, and all of it', async () => {
  const { code, said, out } = await buildx('bake', '--progress', 'plain', '--allow', 'fs=*', repository.url);
  expect([code, code === 0 ? '' : said]).toEqual([0, '']);
  expect(out('f')).toBe('of sub\n');
  const whole = await buildx(
    'bake',
    '--progress',
    'plain',
    '--allow',
    'fs=*',
    `${repository.url}#main`,
    'whole',
  );
  expect([whole.code, whole.code === 0 ? '' : whole.said]).toEqual([0, '']);
  expect(whole.out('f')).toBe('of more\n');
  const missing = await buildx('bake', '-f', 'nowhere.hcl', repository.url);
  expect([missing.code, missing.said]).toEqual([1, expect.stringContaining('no such file or directory')]);
}, 120_000);

test('bake: a file of a URL, with the context of the client', async () => {
  const url = `http://127.0.0.1:${files.port}`;
  const { code, said, out } = await buildx(
    'bake',
    '--allow',
    'fs=*',
    `${url}/bake.hcl`,
    '--set',
    '*.context=.',
  );
  expect([code, code === 0 ? '' : said]).toEqual([0, '']);
  expect(out('f')).toBe('of the client\n');
  const gone = await buildx('bake', `${url}/gone.hcl`);
  expect([gone.code, gone.said]).toEqual([1, expect.stringContaining('404')]);
}, 120_000);

test('build -f with a URL', async () => {
  const url = `http://127.0.0.1:${files.port}/Other.Dockerfile`;
  const { code, said, out } = await buildx('build', '-f', url, '-o', 'out', '.');
  expect([code, code === 0 ? '' : said]).toEqual([0, '']);
  expect(out('by-url')).toBe('of the client\n');
}, 120_000);
