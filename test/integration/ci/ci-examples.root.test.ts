import { afterAll, beforeAll, expect, test } from 'bun:test';
import { cpSync, mkdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { freePort, startDockerRegistry } from '../../../src/registry/testing/running-registry.ts';
import { BuildFixture } from '../../clients/build/build-fixture.ts';
import { eventually, must } from '../../support/engine/command.ts';
import { type Outside, openOutside } from '../../support/engine/outside.ts';
import { expanded, githubJob, gitlabJob, leastRights } from './job-page.ts';

// The image sampan:dind is built, and the examples of docs/ci.md run in it as runners of GitLab and GitHub would run them.
const ROOT = resolve(import.meta.dir, '../../..');
const GATEWAY = '10.97.3.1';
let fixture: BuildFixture;
let outside: Outside;
let registry: Awaited<ReturnType<typeof startDockerRegistry>>;
let host = '';

const docker = async (args: readonly string[], timeoutMs = 120_000): Promise<string> =>
  await fixture.daemon.out(args, { timeoutMs });

const logs = async (name: string): Promise<string> => {
  const { stdout, stderr } = await fixture.daemon.run(['logs', name]);
  return stdout + stderr;
};

beforeAll(async () => {
  await must(['ip', 'link', 'set', 'lo', 'up']);
  outside = await openOutside();
  const port = await freePort();
  registry = await startDockerRegistry({ ci: 'pass word' }, { port, address: '0.0.0.0' });
  host = `${GATEWAY}:${port}`;
  fixture = await BuildFixture.start({ bip: `${GATEWAY}/24`, config: { 'insecure-registries': [host] } });
  await makeBases();
  await makeEngineImage();
  await docker(['login', '-u', 'ci', '-p', 'pass word', host]);
  for (const [image, name] of [
    ['busybox', 'base:1'],
    ['redis', 'redis:7'],
  ] as const) {
    await docker(['tag', image, `${host}/${name}`]);
    await docker(['push', '-q', `${host}/${name}`]);
  }
}, 600_000);

afterAll(async () => {
  outside?.close();
  await registry?.close();
  await fixture?.close();
}, 300_000);

/** In place of debian:trixie-slim and node:22-slim, with what makes packages come from where this machine has them. */
async function makeBases(): Promise<void> {
  const tar = join(fixture.daemon.root, 'debian.tar');
  const packages =
    'ca-certificates,conmon,crun,e2fsprogs,git,iproute2,nftables,openssl,procps,tini,xz-utils,redis-server,libatomic1,libstdc++6';
  await must(
    [
      'mmdebstrap',
      '--quiet',
      '--variant=minbase',
      '--aptopt=Acquire::Retries "5"',
      `--include=${packages}`,
      suite(),
      tar,
    ],
    { timeoutMs: 300_000, env: { http_proxy: `http://127.0.0.1:${outside.port}` } },
  );
  await docker(['import', tar, 'debian:made']);
  rmSync(tar);
  const npm = dirname(dirname(realpathSync((await must(['which', 'npm'])).trim())));
  const folder = fixture.project({
    Dockerfile: [
      'FROM debian:made',
      'COPY node /usr/local/bin/',
      'COPY npm /usr/local/lib/npm',
      'COPY authorities.pem /',
      'RUN ln -s ../lib/npm/bin/npm-cli.js /usr/local/bin/npm',
      `ENV NODE_EXTRA_CA_CERTS=/authorities.pem npm_config_registry=${(await must(['npm', 'config', 'get', 'registry'])).trim()}`,
      '',
    ].join('\n'),
    'redis/Dockerfile':
      'FROM debian:made\nCMD ["redis-server", "--protected-mode", "no", "--bind", "0.0.0.0"]\n',
  });
  mkdirSync(folder, { recursive: true });
  cpSync(realpathSync((await must(['which', 'node'])).trim()), join(folder, 'node'));
  cpSync(npm, join(folder, 'npm'), { recursive: true, verbatimSymlinks: true });
  cpSync(
    process.env['NODE_EXTRA_CA_CERTS'] ?? '/etc/ssl/certs/ca-certificates.crt',
    join(folder, 'authorities.pem'),
    { dereference: true },
  );
  await docker(['build', '-q', '-t', 'node:made', folder]);
  await docker(['build', '-q', '-t', 'redis', join(folder, 'redis')]);
}

function suite(): string {
  return /^VERSION_CODENAME="?([a-z]+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'stable';
}

async function makeEngineImage(): Promise<void> {
  const url = `http://host.docker.internal:${outside.port}`;
  const proxy = ['http_proxy', 'https_proxy'].flatMap((name) => ['--build-arg', `${name}=${url}`]);
  const bases = ['--build-arg', 'DEBIAN=debian:made', '--build-arg', 'NODE=node:made'];
  const where = [
    '--add-host',
    'host.docker.internal:host-gateway',
    '-f',
    join(ROOT, 'packaging/dind/Dockerfile'),
  ];
  const built = await fixture.daemon.run(
    ['build', '--progress', 'plain', ...where, ...proxy, ...bases, '-t', 'sampan:dind', ROOT],
    { timeoutMs: 400_000 },
  );
  expect([built.code, built.code === 0 ? '' : built.stderr.slice(-3000)]).toEqual([0, '']);
}

/** An application whose test asks a database. */
function application(version: string): string {
  return fixture.project({
    Dockerfile: `FROM ${host}/base:1\nRUN echo built by the pipeline > /built\nWORKDIR /app\nCOPY test.sh version ./\n`,
    'test.sh': [
      '#!/bin/sh',
      'for try in $(seq 100); do',
      "  printf 'PING\\r\\n' | nc -w 1 database 6379 2>/dev/null | grep -q PONG && exec cat /built version",
      '  sleep 0.1',
      'done',
      'exit 1',
      '',
    ].join('\n'),
    version: `${version}\n`,
  });
}

const flags = (values: Record<string, string>): string[] =>
  Object.entries(values).flatMap(([name, value]) => ['-e', `${name}=${value}`]);

/** A job as GitLab's runner runs it: a network, services in it, the job beside them. */
async function runGitlab(folder: string, commit: string): Promise<string> {
  const job = gitlabJob();
  const values = expanded({
    ...job.variables,
    DATABASE_IMAGE: `${host}/redis:7`,
    CI_REGISTRY: host,
    CI_REGISTRY_USER: 'ci',
    CI_REGISTRY_PASSWORD: 'pass word',
    CI_REGISTRY_IMAGE: `${host}/app`,
    CI_COMMIT_SHORT_SHA: commit,
  });
  const certificates = ['-v', `certificates-${commit}:/certs/client`];
  await docker(['network', 'create', `job-${commit}`]);
  const beside = ['--privileged', '--network', `job-${commit}`, ...certificates, ...flags(values)];
  try {
    for (const { name, alias } of job.services)
      await docker([
        'run',
        '-d',
        '--name',
        `${alias}-${commit}`,
        '--network-alias',
        alias,
        ...beside,
        name,
        '--insecure-registry',
        host,
      ]);
    const shell = ['-v', `${folder}:/builds`, '-w', '/builds', job.image, 'sh', '-ec', job.script.join('\n')];
    const done = await fixture.daemon.run(['run', '--rm', ...beside, ...shell], { timeoutMs: 240_000 });
    const why = done.code === 0 ? '' : `${done.stderr}\n${await logs(`docker-${commit}`)}`;
    expect([done.code, why]).toEqual([0, '']);
    return done.stdout + done.stderr;
  } finally {
    for (const { alias } of job.services) await docker(['rm', '-fv', `${alias}-${commit}`]);
    await docker(['network', 'rm', `job-${commit}`]);
    await docker(['volume', 'rm', `certificates-${commit}`]);
  }
}

test('the example for GitLab: an engine beside the job, TLS, caches that outlive it', async () => {
  const first = await runGitlab(application('one'), 'c0ffee01');
  expect(first).toContain('built by the pipeline\none\n');
  expect(first).not.toMatch(/RUN echo built by the pipeline.*\n#\d+ CACHED/);
  // Another engine, which has nothing but what the registry has.
  const second = await runGitlab(application('two'), 'c0ffee02');
  expect(second).toContain('built by the pipeline\ntwo\n');
  expect(second).toMatch(/RUN echo built by the pipeline.*\n#\d+ CACHED/);
  expect(await docker(['run', '--rm', `${host}/app:c0ffee02`, 'cat', 'version'])).toBe('two');
}, 600_000);

test("the example for GitHub: the machine's engine by its socket", async () => {
  const job = githubJob();
  const [volume] = job.container.volumes;
  expect(volume).toBe('/run/sampan.sock:/var/run/docker.sock');
  const values = {
    ...job.env,
    REGISTRY: host,
    REGISTRY_USER: 'ci',
    REGISTRY_PASSWORD: 'pass word',
    DATABASE_IMAGE: `${host}/redis:7`,
    GITHUB_SHA: 'feedbeef',
    GITHUB_RUN_ID: '7',
  };
  const mounts = ['-v', `${fixture.daemon.socket}:/var/run/docker.sock`, '-v', `${application('three')}:/w`];
  const name = 'github-job';
  await docker([
    'run',
    '-d',
    '--name',
    name,
    ...mounts,
    '-w',
    '/w',
    ...flags(values),
    job.container.image,
    'sleep',
    '1000',
  ]);
  let said = '';
  try {
    for (const step of job.steps) {
      const done = await fixture.daemon.run(['exec', name, 'sh', '-e', '-c', step.run], {
        timeoutMs: 120_000,
      });
      expect([step.run, done.code, done.code === 0 ? '' : done.stderr]).toEqual([step.run, 0, '']);
      said += done.stdout;
    }
  } finally {
    await docker(['rm', '-f', name]);
  }
  expect(said).toContain('built by the pipeline\nthree\n');
  expect(await docker(['ps', '-aq'])).toBe('');
  expect(await docker(['run', '--rm', `${host}/app:feedbeef`, 'cat', 'version'])).toBe('three');
}, 300_000);

test('an engine in a container with the least rights, and one without a volume', async () => {
  const inner = async (name: string, args: readonly string[]) =>
    await fixture.daemon.run(['exec', name, 'docker', ...args], { timeoutMs: 60_000 });
  const engines: [string, string[], string[]][] = [
    ['least', leastRights(), ['sampan:dind']],
    // Its data root is not on the image's volume.
    ['bare', ['--privileged'], ['sampan:dind', '--data-root', '/engine']],
  ];
  for (const [name, rights, command] of engines) {
    const plain = ['-e', 'DOCKER_TLS_CERTDIR='];
    await docker(['run', '-d', '--name', name, ...rights, ...plain, ...command, '--insecure-registry', host]);
    const log = async () => await logs(name);
    try {
      const answers = async () => (await inner(name, ['version'])).code === 0;
      await eventually(answers, { timeoutMs: 20_000, what: () => `the engine in ${name}` }).catch(
        async (error: unknown) => {
          throw new Error(`${String(error)}:\n${await log()}`);
        },
      );
      await inner(name, ['login', '-u', 'ci', '-p', 'pass word', host]);
      const image = `${host}/base:1`;
      const port = '8089';
      const steps = [
        ['run', '--rm', image, 'echo', 'inner'],
        ['run', '-d', '--name', 'web', '-p', `${port}:80`, '-m', '32m', image, 'httpd', '-f', '-p', '80'],
      ];
      for (const step of steps) {
        const done = await inner(name, step);
        expect([name, step, done.code, done.code === 0 ? '' : `${done.stderr}${await log()}`]).toEqual([
          name,
          step,
          0,
          '',
        ]);
      }
      // What runs in it is counted where it is, and reached from outside.
      const stats = (
        await inner(name, ['stats', '--no-stream', '--format', '{{.MemUsage}} {{.PIDs}}', 'web'])
      ).stdout;
      expect(stats).toMatch(/^[1-9][\d.]*[KM]iB \/ 32MiB 1\n$/);
      const address = await docker(['inspect', '-f', '{{.NetworkSettings.IPAddress}}', name]);
      expect((await fetch(`http://${address}:${port}/nothing`)).status).toBe(404);
      expect((await fetch(`http://${address}:2375/_ping`)).status).toBe(200);
      expect(
        (await fetch(`http://${address}:2375/info`, { headers: { origin: 'http://page' } })).status,
      ).toBe(403);
      const warnings = JSON.parse((await inner(name, ['info', '-f', '{{json .Warnings}}'])).stdout) as
        | string[]
        | null;
      expect((warnings ?? []).some((line) => line.includes('disk.img'))).toBe(name === 'bare');
    } finally {
      await docker(['rm', '-fv', name]);
    }
  }
}, 300_000);
