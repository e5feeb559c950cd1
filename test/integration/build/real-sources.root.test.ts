import { afterAll, beforeAll, expect, test } from 'bun:test';
import { cpSync, mkdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BuildFixture } from '../../clients/build/build-fixture.ts';
import { must } from '../../support/engine/command.ts';
import { type Outside, openOutside } from '../../support/engine/outside.ts';

// What people build: on a Debian made by mmdebstrap, packages by apt-get, a compiled program in two stages, a Node application.
let fixture: BuildFixture;
let outside: Outside;
let proxy: string[];

beforeAll(async () => {
  await must(['ip', 'link', 'set', 'lo', 'up']);
  outside = await openOutside();
  fixture = await BuildFixture.start();
  const url = `http://host.docker.internal:${outside.port}`;
  proxy = ['--add-host', 'host.docker.internal:host-gateway'];
  for (const name of ['http_proxy', 'https_proxy']) proxy.push('--build-arg', `${name}=${url}`);
  const tar = join(fixture.daemon.root, 'debian.tar');
  await must(['mmdebstrap', '--quiet', '--variant=minbase', '--aptopt=Acquire::Retries "5"', suite(), tar], {
    timeoutMs: 300_000,
    env: { http_proxy: `http://127.0.0.1:${outside.port}` },
  });
  await fixture.daemon.out(['import', tar, 'debian:made'], { timeoutMs: 120_000 });
  rmSync(tar);
}, 500_000);
afterAll(async () => {
  outside?.close();
  await fixture?.close();
}, 300_000);

function suite(): string {
  const [, name] = /^VERSION_CODENAME="?([a-z]+)/m.exec(readFileSync('/etc/os-release', 'utf8')) ?? [];
  return name ?? 'stable';
}

async function build(folder: string, args: readonly string[], client: 'docker' | 'sampan'): Promise<string> {
  const { code, stdout, stderr } = await fixture.daemon.run(
    ['build', '--progress', 'plain', ...args, folder],
    { client, timeoutMs: 300_000 },
  );
  expect([code, code === 0 ? '' : stderr]).toEqual([0, '']);
  return stdout + stderr;
}

test('a compiler by apt-get, and its program alone in the image', async () => {
  const folder = fixture.project({
    Dockerfile: [
      'FROM debian:made AS compiler',
      'RUN apt-get -o Acquire::Retries=5 update \\',
      ' && apt-get -o Acquire::Retries=5 install -y --no-install-recommends gcc libc6-dev \\',
      ' && rm -rf /var/lib/apt/lists/*',
      'COPY main.c /src/',
      'RUN gcc -O2 -static -o /program /src/main.c',
      'FROM scratch',
      'COPY --from=compiler /program /',
      'ENTRYPOINT ["/program"]',
      '',
    ].join('\n'),
    'main.c':
      '#include <stdio.h>\nint main(int c, char **v) { printf("compiled, %d arguments\\n", c - 1); return 7; }\n',
  });
  await build(folder, [...proxy, '-t', 'program'], 'docker');
  const { code, stdout } = await fixture.daemon.run(['run', '--rm', 'program', 'a', 'b']);
  expect([code, stdout]).toEqual([7, 'compiled, 2 arguments\n']);
  const size = Number(await fixture.daemon.out(['inspect', '-f', '{{.Size}}', 'program']));
  expect(size).toBeLessThan(2_000_000);
}, 400_000);

test('a Node application: `npm ci` in a cache mount, which the next build finds without a network', async () => {
  const npm = dirname(dirname(realpathSync((await must(['which', 'npm'])).trim())));
  const tools = join(fixture.daemon.root, 'tools');
  mkdirSync(join(tools, 'bin'), { recursive: true });
  cpSync(realpathSync((await must(['which', 'node'])).trim()), join(tools, 'bin/node'));
  cpSync(npm, join(tools, 'npm'), { recursive: true, verbatimSymlinks: true });
  const registry = (await must(['npm', 'config', 'get', 'registry'])).trim();
  const authorities = process.env['NODE_EXTRA_CA_CERTS'] ?? '/etc/ssl/certs/ca-certificates.crt';
  const integrity = /"node_modules\/ms": \{[^}]*"integrity": "([^"]+)"/s.exec(
    readFileSync(join(import.meta.dir, '../../../package-lock.json'), 'utf8'),
  )?.[1];
  const dependencies = { ms: '2.1.3' };
  const lock = {
    name: 'app',
    version: '1.0.0',
    lockfileVersion: 3,
    packages: {
      '': { name: 'app', version: '1.0.0', dependencies },
      'node_modules/ms': { version: '2.1.3', integrity },
    },
  };
  const folder = fixture.project({
    Dockerfile: [
      'FROM debian:made AS runtime',
      'RUN apt-get -o Acquire::Retries=5 update \\',
      ' && apt-get -o Acquire::Retries=5 install -y --no-install-recommends libstdc++6 libatomic1',
      'COPY --from=tools bin/node /usr/local/bin/',
      'FROM runtime AS modules',
      'COPY --from=tools npm /npm',
      'WORKDIR /app',
      'COPY package*.json ./',
      'ARG NPM=ci',
      'ARG npm_config_registry',
      'RUN --mount=type=secret,id=authorities --mount=type=cache,target=/root/.npm \\',
      ' NODE_EXTRA_CA_CERTS=/run/secrets/authorities node /npm/bin/npm-cli.js $NPM --no-audit --no-fund',
      'FROM runtime',
      'WORKDIR /app',
      'COPY --from=modules /app/node_modules node_modules',
      'COPY index.js .',
      'CMD ["node", "index.js"]',
      '',
    ].join('\n'),
    'package.json': JSON.stringify({ name: 'app', version: '1.0.0', dependencies }),
    'package-lock.json': JSON.stringify(lock),
    'index.js': "console.log(require('ms')('2 days'))\n",
    '.dockerignore': 'node_modules\n',
  });
  const args = [
    '--build-context',
    `tools=${tools}`,
    '--secret',
    `id=authorities,src=${authorities}`,
    '--build-arg',
    `npm_config_registry=${registry}`,
    '-t',
    'app',
  ];
  await build(folder, [...args, ...proxy], 'sampan');
  expect(await fixture.daemon.out(['run', '--rm', 'app'])).toBe('172800000');
  const offline = ['--no-cache-filter', 'modules', '--build-arg', 'NPM=ci --offline'];
  const told = await build(folder, [...args, ...offline, ...proxy.slice(0, 2)], 'sampan');
  expect(told).toContain('added 1 package');
  expect(await fixture.daemon.out(['run', '--rm', 'app'])).toBe('172800000');
}, 400_000);
