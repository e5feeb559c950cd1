import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface ServedRepository extends Disposable {
  /** `http://127.0.0.1:…/p.git` */
  url: string;
  commit: string;
}

/** A git repository with one commit of these files in the new folder `folder`, served as plain files. `authorization`: the header without which nobody gets any. */
export function serveRepository(
  folder: string,
  files: Readonly<Record<string, string>>,
  { authorization }: { authorization?: string } = {},
): ServedRepository {
  mkdirSync(folder);
  const git = (...words: string[]): string =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...words], {
      cwd: folder,
      encoding: 'utf8',
    });
  git('init', '-q', '-b', 'main');
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  git('add', '-A');
  git('commit', '-qm', 'x');
  git('update-server-info');
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: async (request) => {
      const given = request.headers.get('authorization');
      if (authorization !== undefined && given?.toLowerCase() !== authorization.toLowerCase())
        return new Response('who?', { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } });
      const path = new URL(request.url).pathname.replace(/^\/p\.git/, '');
      const file = Bun.file(join(folder, '.git', path));
      return (await file.exists()) ? new Response(file) : new Response('', { status: 404 });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/p.git`,
    commit: git('rev-parse', 'HEAD').trim(),
    [Symbol.dispose]: () => void server.stop(true),
  };
}
