import { afterAll, beforeAll, expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BuildFixture } from '../../clients/build/build-fixture.ts';
import { must } from '../../support/engine/command.ts';
import { serveRepository } from '../../support/engine/served-repository.ts';

// What makes a RUN another one, and what doesn't; what ONBUILD reads; build arguments that steer BuildKit. As Docker 28.5 with buildx 0.29 does it.
let fixture: BuildFixture;

beforeAll(async () => {
  await must(['ip', 'link', 'set', 'lo', 'up']);
  fixture = await BuildFixture.start();
}, 120_000);
afterAll(async () => {
  await fixture?.close();
}, 60_000);

/** Build with the stock client. @returns `/out` of the last stage, and what was said. */
async function build(
  dockerfile: readonly string[],
  { args = [], files = {} }: { args?: readonly string[]; files?: Record<string, string> } = {},
): Promise<{ out: string; said: string }> {
  const folder = fixture.project({ ...files, Dockerfile: [...dockerfile, ''].join('\n') });
  const output = fixture.output();
  const { code, stdout, stderr } = await fixture.daemon.run(
    ['build', '--progress', 'plain', '-o', `type=local,dest=${output}`, ...args, folder],
    { client: 'docker', timeoutMs: 120_000 },
  );
  expect([code, code === 0 ? '' : stderr]).toEqual([0, '']);
  const path = join(output, 'out');
  return { out: existsSync(path) ? readFileSync(path, 'utf8') : '', said: stdout + stderr };
}

/** Whether the second of two builds took the first one's RUN. */
async function isCached(first: Parameters<typeof build>, second: Parameters<typeof build>): Promise<boolean> {
  await build(...first);
  const { said } = await build(...second);
  const step = /^#(\d+) \[[^\]]*\] RUN /m.exec(said)?.[1];
  expect(step).toBeDefined();
  return new RegExp(`^#${step} CACHED$`, 'm').test(said);
}

/** Names of the steps that were taken from the cache, but for base images. */
function cachedIn(said: string): string[] {
  const names = new Map(
    [...said.matchAll(/^#(\d+) \[[^\]]*\d+\/\d+\] ((?!FROM ).*)$/gm)].map(([, id, name]) => [id, name]),
  );
  return [...said.matchAll(/^#(\d+) CACHED$/gm)].flatMap(([, id]) => names.get(id) ?? []);
}

const run = (mount: string, command: string) => ['FROM busybox', `RUN ${mount} ${command}`];

test('COPY --link is taken from the cache whatever lies below, and hides a link that does', async () => {
  const dockerfile = (base: string) => [
    'FROM busybox',
    `RUN mkdir -p /etc /real && ln -s /real /to && echo named:x:${base}:${base}::/: >> /etc/passwd && echo ${base} > /base`,
    'COPY --link f /to/f',
    'COPY --link --chown=5:6 f /own/f',
    'COPY --link --chown=named f /named',
    'COPY f /plain',
    'RUN cat /base /to/f > /out; ls -A /real >> /out; stat -c "%F %u:%g" /to /own/f /named >> /out',
  ];
  const printed = (base: string): string =>
    [base, 'content', 'directory 0:0', 'regular file 5:6', `regular file ${base}:${base}`, ''].join('\n');
  const files = { f: 'content\n' };
  expect((await build(dockerfile('71'), { files })).out).toBe(printed('71'));
  const other = await build(dockerfile('72'), { files });
  expect(other.out).toBe(printed('72'));
  // The third looks a name up there, the fourth is a plain one.
  expect(cachedIn(other.said)).toEqual(['COPY --link f /to/f', 'COPY --link --chown=5:6 f /own/f']);
  // On what it was made on, too, and by a daemon that reads of it in its database.
  await fixture.daemon.restart();
  const again = await build(dockerfile('71'), { files });
  expect(again.out).toBe(printed('71'));
  expect(cachedIn(again.said)).toHaveLength(6);
  const changed = await build(dockerfile('71'), { files: { f: 'other\n' } });
  expect(changed.out).toBe(printed('71').replace('content', 'other'));
  expect(cachedIn(changed.said)).toHaveLength(1);
});

test('one COPY --link in two stages at once, with a cache and without, is in both', async () => {
  const stage = (name: string) => [`FROM busybox AS ${name}`, `RUN echo ${name} > /n`, 'COPY --link f /f'];
  const dockerfile = [
    ...stage('a'),
    ...stage('b'),
    'FROM busybox',
    'RUN --mount=from=a,target=/a --mount=from=b,target=/b cat /a/n /a/f /b/n /b/f > /out',
  ];
  const files = { f: 'at once\n' };
  for (const args of [[], ['--no-cache'], []])
    expect((await build(dockerfile, { files, args })).out).toBe('a\nat once\nb\nat once\n');
  const layers = async (target: string): Promise<string[]> => {
    const folder = fixture.project({ ...files, Dockerfile: [...dockerfile, ''].join('\n') });
    await fixture.daemon.out(['build', '-q', '-t', target, '--target', target, folder]);
    const listed = await fixture.daemon.out(['inspect', '-f', '{{json .RootFS.Layers}}', target]);
    return JSON.parse(listed) as string[];
  };
  const [one, other] = [await layers('a'), await layers('b')];
  expect(one.at(-1)).toBe(other.at(-1) ?? '');
  expect(one.at(-2)).not.toBe(other.at(-2) ?? '');
});

test('SOURCE_DATE_EPOCH makes what WORKDIR makes another, and nothing that is run or copied', async () => {
  const dockerfile = [
    'FROM busybox',
    'RUN echo > /made',
    'COPY f /f',
    'WORKDIR /w',
    'RUN stat -c %Y /w > /out',
  ];
  const dated = (epoch: string) => ({
    files: { f: 'x' },
    args: ['--build-arg', `SOURCE_DATE_EPOCH=${epoch}`],
  });
  expect((await build(dockerfile, dated('1000'))).out).toBe('1000\n');
  const { out, said } = await build(dockerfile, dated('2000'));
  expect(out).toBe('2000\n');
  expect(cachedIn(said)).toEqual(['RUN echo > /made', 'COPY f /f']);
  const asked = ['FROM busybox', 'ARG SOURCE_DATE_EPOCH', 'RUN echo "$SOURCE_DATE_EPOCH" > /out'];
  expect((await build(asked, dated('1000'))).out).toBe('1000\n');
  expect((await build(asked, dated('2000'))).out).toBe('2000\n');
});

test('what a cache mount begins with is part of the step', async () => {
  const dockerfile = (value: number) => [
    'FROM busybox AS seed',
    `RUN mkdir /s && echo ${value} > /s/v`,
    'FROM busybox',
    'RUN --mount=type=cache,id=seeded,target=/c,from=seed,source=/s cat /c/v > /out',
  ];
  expect((await build(dockerfile(1))).out).toBe('1\n');
  expect((await build(dockerfile(2))).out).toBe('2\n');
  expect((await build(dockerfile(1))).said).toContain('CACHED');
});

test('ulimits, sizes of tmpfs and modes of secrets are, names of caches and addresses of hosts are not', async () => {
  const limited = run('', 'ulimit -n > /out');
  expect((await build(limited, { args: ['--ulimit', 'nofile=100'] })).out).toBe('100\n');
  expect((await build(limited, { args: ['--ulimit', 'nofile=200'] })).out).toBe('200\n');
  const tmpfs = (size: string) => run(`--mount=type=tmpfs,target=/t,size=${size}`, 'df /t > /out');
  expect(await isCached([tmpfs('1m')], [tmpfs('8m')])).toBe(false);
  const secret = fixture.project({ value: 'hidden' });
  const args = ['--secret', `id=s,src=${join(secret, 'value')}`];
  const mode = (octal: string) =>
    run(`--mount=type=secret,id=s,mode=${octal}`, 'stat -c %a /run/secrets/s > /out');
  expect((await build(mode('0400'), { args })).out).toBe('400\n');
  expect((await build(mode('0444'), { args })).out).toBe('444\n');
  const cache = (id: string) => run(`--mount=type=cache,target=/c,id=${id}`, 'date > /out');
  expect(await isCached([cache('one')], [cache('two')])).toBe(true);
  const host = (address: string) => ({ args: ['--add-host', `other:${address}`] });
  const hosts = run('', 'grep other /etc/hosts > /out');
  expect(await isCached([hosts, host('10.1.1.1')], [hosts, host('10.2.2.2')])).toBe(true);
});

test('--no-cache-filter makes the step of its stage anew, not that of another stage that says the same', async () => {
  const dockerfile = [
    'FROM busybox AS kept',
    'RUN cat /proc/sys/kernel/random/uuid > /id',
    'FROM busybox AS again',
    'RUN cat /proc/sys/kernel/random/uuid > /id',
    'FROM scratch',
    'COPY --from=kept /id /kept',
    'COPY --from=again /id /out',
  ];
  const args = ['--no-cache-filter', 'again'];
  const [first, second] = [await build(dockerfile, { args }), await build(dockerfile, { args })];
  expect(first.out).not.toBe(second.out);
});

test("ONBUILD's instructions take files from stages that nothing else needs", async () => {
  const parent = fixture.project({
    Dockerfile:
      'FROM busybox\nONBUILD COPY --from=src /x /x\nONBUILD RUN --mount=from=src,target=/m ls /m > /out\n',
  });
  await fixture.daemon.out(['build', '-q', '-t', 'triggers', parent]);
  const dockerfile = ['FROM scratch AS src', 'COPY x /', 'FROM triggers', 'RUN cat /x >> /out'];
  expect((await build(dockerfile, { files: { x: 'of the stage\n' } })).out).toBe('x\nof the stage\n');
  // The same within one Dockerfile.
  const own = [
    'FROM busybox AS base',
    'ONBUILD COPY --from=src /x /out',
    'FROM scratch AS src',
    'COPY x /',
    'FROM base',
  ];
  expect((await build(own, { files: { x: 'of the file\n' } })).out).toBe('of the file\n');
  const circle = ['FROM scratch AS src', 'COPY --from=end /x /', 'FROM triggers AS end'];
  const folder = fixture.project({ Dockerfile: [...circle, ''].join('\n') });
  const { code, stderr } = await fixture.daemon.run(['build', folder], { client: 'docker' });
  expect([code, stderr]).toEqual([1, expect.stringContaining('circular dependency detected on stage')]);
});

test('proxy arguments reach a RUN in both spellings', async () => {
  const dockerfile = run('', 'env | grep -i _proxy | sort > /out');
  const args = ['--build-arg', 'HTTP_PROXY=http://pp', '--build-arg', 'no_proxy=a,b'];
  expect((await build(dockerfile, { args })).out.trim().split('\n').sort()).toEqual(
    ['HTTP_PROXY=http://pp', 'NO_PROXY=a,b', 'http_proxy=http://pp', 'no_proxy=a,b'].sort(),
  );
});

test("BuildKit's own build arguments are heeded", async () => {
  const arg = (name: string, value: string) => ['--build-arg', `BUILDKIT_${name}=${value}`];
  const cache = (command: string) => run('--mount=type=cache,target=/spaces', command);
  await build(cache('touch /spaces/x'), { args: arg('CACHE_MOUNT_NS', 'n1') });
  const other = await build(cache('ls /spaces > /out # n2'), { args: arg('CACHE_MOUNT_NS', 'n2') });
  expect(other.out).toBe('');
  const same = await build(cache('ls /spaces > /out # n1'), { args: arg('CACHE_MOUNT_NS', 'n1') });
  expect(same.out).toBe('x\n');

  const named = run('', 'sh -c "hostname; getent hosts myhost || grep myhost /etc/hosts" > /out');
  const { out } = await build(named, { args: arg('SANDBOX_HOSTNAME', 'myhost') });
  expect(out).toMatch(/^myhost\n127\.0\.0\.1\s.*myhost/);

  const warned = ['FROM busybox', 'MAINTAINER someone'];
  expect((await build(warned)).said).toContain('MaintainerDeprecated');
  expect((await build(warned, { args: arg('DOCKERFILE_CHECK', 'skip=all') })).said).not.toContain(
    'MaintainerDeprecated',
  );

  const folder = fixture.project({ Dockerfile: 'FROM scratch\nCOPY Dockerfile /\n' });
  const output = fixture.output();
  const split = ['build', ...arg('MULTI_PLATFORM', '1'), '-o', `type=local,dest=${output}`, folder];
  expect((await fixture.daemon.run(split, { client: 'docker' })).code).toBe(0);
  expect(existsSync(join(output, 'linux_amd64/Dockerfile'))).toBe(true);
});

test('a repository that asks who it is gets the secret that is meant for it, which opens it to nobody else', async () => {
  const authorization = `Basic ${Buffer.from('x-access-token:t0ken').toString('base64')}`;
  using repository = serveRepository(
    join(fixture.daemon.root, 'private'),
    { f: 'private\n' },
    { authorization },
  );
  const { url, commit } = repository;
  const dockerfile = (ref: string) => [
    'FROM scratch',
    `ADD ${url}#${ref} /`,
    'COPY --from=busybox /bin/true /out',
  ];
  const token = join(fixture.project({ token: 't0ken\n' }), 'token');
  await build(dockerfile(commit), { args: ['--secret', `id=GIT_AUTH_TOKEN,src=${token}`] });
  for (const id of ['GIT_AUTH_TOKEN.elsewhere.example', 'other']) {
    const folder = fixture.project({ Dockerfile: [...dockerfile(commit), ''].join('\n') });
    const refused = await fixture.daemon.run(
      ['build', '--no-cache', '--secret', `id=${id},src=${token}`, folder],
      { client: 'docker', timeoutMs: 60_000 },
    );
    expect([id, refused.code]).toEqual([id, 1]);
    expect(refused.stderr).toContain('git');
  }
}, 60_000);
