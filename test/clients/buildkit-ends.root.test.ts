import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import { connect } from 'node:net';
import { join } from 'node:path';
import { buildLeftovers } from '../support/engine/build-leftovers.ts';
import { eventually } from '../support/engine/command.ts';
import { cgroupProcesses, daemonCgroups } from '../support/engine/host-traces.ts';
import { BuildFixture } from './build/build-fixture.ts';

let fixture: BuildFixture;
beforeAll(async () => {
  fixture = await BuildFixture.start();
}, 300_000);
afterAll(async () => {
  await fixture?.close();
}, 300_000);

const nothingLeft = async () => {
  const left = () => [...buildLeftovers(fixture.daemon), ...busyContexts()];
  await eventually(() => left().length === 0, { timeoutMs: 60_000, what: () => left().join('\n') });
};

/** Contexts that are one build's alone go with it. */
function busyContexts(): string[] {
  try {
    return readdirSync(join(fixture.daemon.dataRoot, 'builder/synced')).filter((name) => name.includes('.'));
  } catch {
    return [];
  }
}

const isRunning = (words: string) =>
  daemonCgroups(fixture.daemon.dataRoot)
    .flatMap(cgroupProcesses)
    .some((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(words);
      } catch {
        return false;
      }
    });

const works = async () => {
  const folder = fixture.project({ Dockerfile: 'FROM busybox\nCOPY a /a\n', a: crypto.randomUUID() });
  const built = await fixture.daemon.run(['build', '-q', folder], { timeoutMs: 100_000 });
  expect(built, built.stderr).toMatchObject({ code: 0 });
};

describe('a client that is killed', () => {
  test('while a RUN runs', async () => {
    const folder = fixture.project({ Dockerfile: 'FROM busybox\nRUN sleep 4712\n' });
    const build = fixture.daemon.startCommand(['build', folder]);
    await eventually(() => isRunning('sleep\u00004712'), { timeoutMs: 60_000, what: () => 'the step' });
    build.child.kill('SIGKILL');
    await nothingLeft();
    expect(isRunning('sleep\u00004712')).toBe(false);
    await works();
  }, 300_000);

  test('with Ctrl-C while a RUN runs: the client is told that it was cancelled', async () => {
    const folder = fixture.project({ Dockerfile: 'FROM busybox\nRUN sleep 4713\n' });
    const build = fixture.daemon.startCommand(['build', folder]);
    await eventually(() => isRunning('sleep\u00004713'), { timeoutMs: 60_000, what: () => 'the step' });
    build.child.kill('SIGINT');
    const { code, stderr } = await build.end();
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/CANCELED|canceled/);
    await nothingLeft();
  }, 300_000);

  test('while it sends its context, at different moments', async () => {
    const folder = fixture.project({ Dockerfile: 'FROM busybox\nCOPY . /all\n' });
    writeFileSync(join(folder, 'large'), crypto.getRandomValues(new Uint8Array(65_536)));
    for (let at = 0; at < 40; at++) writeFileSync(join(folder, `zeros-${at}`), new Uint8Array(4 << 20));
    for (const waitMs of [50, 200, 400, 700]) {
      const build = fixture.daemon.startCommand(['build', '--progress', 'plain', folder]);
      await eventually(() => /load build context/.test(build.seen.stderr) || build.child.exitCode !== null, {
        timeoutMs: 60_000,
        what: () => `the transfer: ${build.seen.stderr}`,
      });
      await Bun.sleep(waitMs);
      build.child.kill('SIGKILL');
      await build.end();
      await nothingLeft();
    }
    await works();
  }, 300_000);

  test('while its output is sent', async () => {
    const folder = fixture.project({
      Dockerfile: 'FROM busybox\nRUN dd if=/dev/zero of=/zeros bs=1M count=40 2>/dev/null\n',
    });
    for (const output of ['type=tar,dest=-', 'type=docker,dest=-']) {
      // Nobody reads its standard output: it hangs there.
      const build = Bun.spawn(fixture.daemon.command(['build', '-o', output, folder]), {
        env: { PATH: process.env['PATH'] ?? '', ...fixture.daemon.env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let said = '';
      const reading = (async () => {
        for await (const chunk of build.stderr) said += new TextDecoder().decode(chunk);
      })();
      try {
        await eventually(() => /exporting to|sending tarball/.test(said) || build.exitCode !== null, {
          timeoutMs: 90_000,
          what: () => `the output: ${said}`,
        });
        await Bun.sleep(300);
      } finally {
        build.kill('SIGKILL');
        await build.exited;
      }
      await reading;
      await nothingLeft();
    }
    await works();
  }, 300_000);
});

describe('rude clients', () => {
  test('one who stops reading what it is told: the build ends, others go on', async () => {
    const folder = fixture.project({ Dockerfile: 'FROM busybox\nRUN yes | head -c 50000000\n' });
    const build = fixture.daemon.startCommand(['build', '--no-cache', '--progress', 'plain', folder]);
    await eventually(() => isRunning('yes') || build.child.exitCode !== null, {
      timeoutMs: 60_000,
      what: () => 'the step',
    });
    build.child.kill('SIGSTOP');
    try {
      await works();
      await eventually(() => !isRunning('yes'), { timeoutMs: 60_000, what: () => 'the step to end' });
    } finally {
      build.child.kill('SIGKILL');
    }
    await nothingLeft();
  }, 300_000);

  test('half a request, garbage after the upgrade, a session that nobody uses', async () => {
    for (const words of [
      'POST /grpc HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nnot http2 at all, and more of it\r\n\r\n',
      'POST /session HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nX-Docker-Expose-Session-Uuid: rude\r\n\r\ngarbage',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
    ]) {
      const socket = connect(fixture.daemon.socket);
      socket.on('error', () => undefined);
      socket.write(words);
      await Bun.sleep(200);
      socket.destroy();
    }
    await works();
  }, 300_000);
});

test('gRPC by HTTP/2 from the first byte on the socket of the API', async () => {
  const session = http2.connect('http://d', { createConnection: () => connect(fixture.daemon.socket) });
  try {
    const stream = session.request({
      ':method': 'POST',
      ':path': '/moby.buildkit.v1.Control/Info',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.end(new Uint8Array(5));
    const answer = await new Promise<{ body: Buffer; status: unknown }>((resolve, reject) => {
      const chunks: Buffer[] = [];
      let status: unknown;
      stream.on('trailers', (trailers) => (status = trailers['grpc-status']));
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => resolve({ body: Buffer.concat(chunks), status }));
      stream.on('error', reject);
    });
    expect(answer.status).toBe('0');
    expect(answer.body.toString('latin1')).toContain('v');
  } finally {
    session.destroy();
  }
});

test('eight builds of one context at the same time give one image', async () => {
  const folder = fixture.project({
    Dockerfile: 'FROM busybox\nCOPY . /all\nRUN cat /all/some > /seen\n',
    some: 'some\n',
  });
  const built = await Promise.all(
    Array.from({ length: 8 }, async (_, at) =>
      fixture.daemon.run(['build', '-q', '-t', `at-once-${at}`, folder], { timeoutMs: 100_000 }),
    ),
  );
  expect(built.map(({ code, stderr }) => [code, stderr]).filter(([code]) => code !== 0)).toEqual([]);
  const ids = await Promise.all(
    built.map(async (_, at) => fixture.daemon.out(['image', 'inspect', '-f', '{{.Id}}', `at-once-${at}`])),
  );
  expect(new Set(ids).size).toBe(1);
  await nothingLeft();
}, 300_000);

test('builds in a row leave nothing open and no growth of what is kept', async () => {
  const folder = fixture.project({ Dockerfile: 'FROM busybox\nCOPY a /a\n', a: 'a' });
  const one = async () =>
    expect(await fixture.daemon.run(['build', '-q', '-t', 'row', folder])).toMatchObject({ code: 0 });
  const open = () => readdirSync(`/proc/${fixture.daemon.pid}/fd`).length;
  for (let time = 0; time < 5; time++) await one();
  const before = open();
  const files = readdirSync(join(fixture.daemon.dataRoot, 'builder/synced')).length;
  const times = Number(process.env['SAMPAN_TEST_BUILDS'] ?? 30);
  for (let time = 0; time < times; time++) await one();
  await eventually(() => open() <= before + 4, { what: () => `${open()} open files, ${before} before` });
  expect(readdirSync(join(fixture.daemon.dataRoot, 'builder/synced')).length).toBe(files);
  await nothingLeft();
}, 300_000);
