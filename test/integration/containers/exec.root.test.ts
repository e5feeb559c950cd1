import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RawClient } from '../../../src/server/testing/raw-client.ts';
import { FrameDecoder } from '../../../src/wire/stream-frame.ts';
import { reapOrphans } from '../../chaos/reap-orphans.ts';
import { eventually } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';
import { noise } from '../../support/images/image-maker.ts';

const CLIENTS = ['docker', 'sampan'] as const;
const MANNERS = ['stops reading', 'half-closes', 'vanishes'] as const;
type Manner = (typeof MANNERS)[number];

let registry: SeedRegistry | undefined;
let engine: TestDaemon;
const orphans = reapOrphans();

beforeAll(async () => {
  registry = await startSeedRegistry();
  engine = await startDaemon({ mirrors: [registry.url] });
  await engine.pull('busybox');
});
afterEach(() => engine.removeContainers());
afterAll(async () => {
  await engine.close();
  await registry?.close();
  orphans.stop();
});

async function box(...options: string[]): Promise<void> {
  await engine.out(['run', '-d', '--name', 'box', ...options, 'busybox', 'sleep', '600']);
}

const FAILED = 'OCI runtime exec failed: exec failed: ';

// As seen on Docker 28.5.
const REFUSALS = [
  [
    ['box', 'nosuch'],
    127,
    `${FAILED}unable to start container process: exec: "nosuch": executable file not found in $PATH`,
  ],
  [
    ['box', '/nosuch'],
    127,
    `${FAILED}unable to start container process: exec: "/nosuch": stat /nosuch: no such file or directory`,
  ],
  [
    ['box', '/etc/passwd'],
    126,
    `${FAILED}unable to start container process: exec: "/etc/passwd": permission denied`,
  ],
  [
    ['box', '/etc'],
    126,
    `${FAILED}unable to start container process: exec: "/etc": is a directory: permission denied`,
  ],
  [
    ['-t', 'box', 'nosuch'],
    127,
    `${FAILED}unable to start container process: exec: "nosuch": executable file not found in $PATH`,
  ],
  [
    ['-w', '/nope', 'box', 'true'],
    127,
    `${FAILED}unable to start container process: chdir to cwd ("/nope") set in config.json failed: no such file or directory`,
  ],
  [['-w', 'rel', 'box', 'true'], 128, `${FAILED}Cwd must be an absolute path`],
  [
    ['-d', 'box', 'nosuch'],
    1,
    `Error response from daemon: ${FAILED}unable to start container process: exec: "nosuch": executable file not found in $PATH`,
  ],
  [
    ['-u', 'ghost', 'box', 'true'],
    1,
    'Error response from daemon: unable to find user ghost: no matching entries in passwd file',
  ],
  [
    ['-u', '0:ghost', 'box', 'true'],
    1,
    'Error response from daemon: unable to find group ghost: no matching entries in group file',
  ],
  [['nope', 'true'], 1, 'Error response from daemon: No such container: nope'],
  [['-it', 'box', 'true'], 1, 'the input device is not a TTY'],
] as const;

test.each(CLIENTS)('%s: exit codes and refusals in words of Docker', async (client) => {
  await box();
  for (const [args, code, words] of REFUSALS) {
    const { stdout, stderr, code: got } = await engine.run(['exec', ...args], { client });
    expect([`${stdout}${stderr}`.trim(), got], args.join(' ')).toEqual([words, code]);
  }
  const exits = async (script: string) =>
    (await engine.run(['exec', 'box', 'sh', '-c', script], { client })).code;
  expect(await exits('exit 7')).toBe(7);
  expect(await exits('kill -9 $$')).toBe(137);
  await engine.out(['pause', 'box']);
  const paused = await engine.run(['exec', 'box', 'true'], { client });
  expect(paused.stderr.trim()).toBe(
    'Error response from daemon: Container box is paused, unpause the container before exec',
  );
  await engine.out(['unpause', 'box']);
  await engine.out(['kill', 'box']);
  await engine.out(['wait', 'box']);
  const stopped = await engine.run(['exec', 'box', 'true'], { client });
  expect(stopped.stderr.trim()).toMatch(
    /^Error response from daemon: container [0-9a-f]{64} is not running$/,
  );
});

test.each(CLIENTS)(
  '%s: the process has what was asked for, and else what the container has',
  async (client) => {
    await box('-e', 'ONE=1', '-e', 'TWO=2', '--hostname', 'box', '-w', '/tmp', '--group-add', '55');
    const out = (...args: string[]) => engine.out(['exec', ...args], { client });
    expect((await out('-e', 'TWO=zwei', '-e', 'THREE=3', 'box', 'env')).split('\n').sort()).toEqual([
      'HOME=/root',
      'HOSTNAME=box',
      'ONE=1',
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      'THREE=3',
      'TWO=zwei',
    ]);
    const file = join(engine.root, 'env');
    writeFileSync(file, '# no\nFROM=file\n');
    expect(await out('--env-file', file, 'box', 'sh', '-c', 'echo $FROM $PWD $TERM-')).toBe('file /tmp -');
    expect(await out('-t', 'box', 'sh', '-c', 'echo $TERM; tty')).toMatch(/^xterm\r\n\/dev\/pts\/\d+\r?$/);
    expect(await out('-w', '/etc', 'box', 'pwd')).toBe('/etc');
    expect(await out('-u', '12345:77', 'box', 'id')).toMatch(/^uid=12345 gid=77 groups=.*55/);
    const status = (...options: string[]) =>
      out(...options, 'box', 'grep', '-E', 'CapEff|Seccomp:|NoNew', '/proc/self/status');
    expect(await status()).toBe('CapEff:\t00000000a80425fb\nNoNewPrivs:\t0\nSeccomp:\t2');
    expect(await status('--privileged')).toMatch(/^CapEff:\t[0-9a-f]*ffeffffff|^CapEff:\t[0-9a-f]{16}\n/);
    expect(await status('--privileged')).toContain('Seccomp:\t2');
    expect(await status('-u', '1000')).toContain('CapEff:\t0000000000000000');
    const cgroup = (pid: string) => engine.out(['exec', 'box', 'cat', `/proc/${pid}/cgroup`]);
    expect(await cgroup('self')).toBe(await cgroup('1'));
  },
);

test('names are looked up inside the root, wherever its links lead', async () => {
  await box();
  const sh = (script: string) => engine.out(['exec', 'box', 'sh', '-c', script]);
  await sh('echo evil:x:4242:4242::/:/bin/sh > /tmp/p; rm /etc/passwd; ln -s ../../../../tmp/p /etc/passwd');
  expect(await engine.out(['exec', '-u', 'evil', 'box', 'id', '-u'])).toBe('4242');
  await sh('rm /etc/passwd; ln -s /proc/1/root/etc/passwd /etc/passwd');
  expect((await engine.run(['exec', '-u', 'evil', 'box', 'id'])).code).toBe(1);
  await sh('rm /etc/passwd; mkfifo /etc/passwd');
  expect(await engine.out(['exec', '-u', '7', 'box', 'grep', 'Uid', '/proc/self/status'])).toStartWith(
    'Uid:\t7\t',
  );
});

test.each(CLIENTS)(
  '%s: a hundred megabytes go through cat and come back',
  async (client) => {
    await box();
    const file = join(engine.root, 'noise');
    const part = noise(1 << 20);
    writeFileSync(file, Buffer.concat(Array.from({ length: 100 }, () => part)));
    const child = Bun.spawn(engine.command(['exec', '-i', 'box', 'cat'], client), {
      env: { PATH: process.env['PATH'] ?? '', ...engine.env },
      stdin: Bun.file(file),
      stdout: 'pipe',
      stderr: 'inherit',
    });
    const hash = createHash('sha256');
    for await (const chunk of child.stdout) hash.update(chunk);
    expect(await child.exited).toBe(0);
    expect(hash.digest('hex')).toBe(createHash('sha256').update(readFileSync(file)).digest('hex'));
  },
  60_000,
);

interface ExecOptions {
  tty?: boolean;
  stdin?: boolean;
  upgrade?: boolean;
}

async function makeExec(command: string[], { tty = false, stdin = true }: ExecOptions = {}): Promise<string> {
  const { status, body } = await engine.api('POST', '/containers/box/exec', {
    Cmd: command,
    Tty: tty,
    AttachStdin: stdin,
    AttachStdout: true,
    AttachStderr: true,
  });
  expect(status).toBe(201);
  return (JSON.parse(body) as { Id: string }).Id;
}

async function startExec(id: string, body: object, { upgrade = true } = {}): Promise<RawClient> {
  const text = JSON.stringify(body);
  const client = await RawClient.connect(engine.socket);
  const lines = [
    `POST /v1.51/exec/${id}/start HTTP/1.1`,
    'Host: d',
    'Content-Type: application/json',
    `Content-Length: ${text.length}`,
    ...(upgrade ? ['Connection: Upgrade', 'Upgrade: tcp'] : []),
  ];
  client.send(`${lines.join('\r\n')}\r\n\r\n${text}`);
  await client.until('\r\n\r\n');
  return client;
}

const inspectExec = async (id: string) =>
  JSON.parse((await engine.api('GET', `/exec/${id}/json`)).body) as {
    Running: boolean;
    ExitCode: number | null;
    Pid: number;
  };

function frames(client: RawClient): { stdout: string; stderr: string } {
  const out = { stdout: '', stderr: '' };
  const bytes = client.bytes.subarray(client.bytes.indexOf('\r\n\r\n') + 4);
  for (const { stream, data } of new FrameDecoder().push(bytes))
    if (stream === 'stdout' || stream === 'stderr') out[stream] += Buffer.from(data).toString();
  return out;
}

test.each([true, false])(
  'raw API, upgraded %p: what is typed after the head, half-close, both streams',
  async (upgrade) => {
    await box();
    const id = await makeExec(['sh', '-c', 'cat; echo err >&2; exit 5']);
    const client = await startExec(id, { Tty: false }, { upgrade });
    expect(client.text).toStartWith(upgrade ? 'HTTP/1.1 101 UPGRADED\r\n' : 'HTTP/1.1 200 OK\r\n');
    client.send('typed\n');
    client.socket.end('more\n');
    await client.untilEnd();
    expect(frames(client)).toEqual({ stdout: 'typed\nmore\n', stderr: 'err\n' });
    expect(await inspectExec(id)).toMatchObject({ Running: false, ExitCode: 5 });
  },
);

test('a terminal: its size from the start and after a resize, the detach keys leave it running', async () => {
  await box();
  const id = await makeExec(['sh'], { tty: true });
  const client = await startExec(id, { Tty: true, ConsoleSize: [33, 111] });
  client.send('stty size\n');
  await client.until('33 111');
  expect((await engine.api('POST', `/exec/${id}/resize?h=44&w=122`)).status).toBe(200);
  client.send('stty size\n');
  await client.until('44 122');
  client.send('\u0010\u0011');
  await client.untilEnd();
  expect(await inspectExec(id)).toMatchObject({ Running: true, ExitCode: null });
  const ids = (await engine.inspect('box'))['ExecIDs'];
  expect(ids).toEqual([id]);
});

function descriptors(): number {
  return readdirSync(`/proc/${engine.pid}/fd`).length;
}

function behave(client: RawClient, manner: Manner): void {
  if (manner === 'stops reading') client.socket.pause();
  if (manner === 'half-closes') client.socket.end();
  if (manner === 'vanishes') client.socket.destroy();
}

test.each(MANNERS)(
  'loud both ways: a client that %s, another goes on, the container is killed',
  async (manner) => {
    await box();
    await Bun.sleep(300);
    const idle = descriptors();
    const loud = ['sh', '-c', 'yes loud & cat > /dev/null; sleep 600'];
    const [twin, other] = [
      await startExec(await makeExec(loud), {}),
      await startExec(await makeExec(loud), {}),
    ];
    const typing = setInterval(() => {
      if (!twin.socket.destroyed && twin.socket.writable) twin.send(Buffer.alloc(100_000, 'x'));
    }, 20);
    await eventually(() => twin.bytes.length > 200_000, { what: () => 'output' });
    clearInterval(typing);
    behave(twin, manner);
    const before = other.bytes.length;
    await eventually(() => other.bytes.length > before + 1_000_000, { what: () => 'the other to go on' });
    await engine.out(['kill', 'box'], { timeoutMs: 20_000 });
    await other.untilEnd();
    for (const { socket } of [twin, other]) socket.destroy();
    await eventually(() => descriptors() <= idle, {
      what: () => `${descriptors()} descriptors to be ${idle}`,
    });
    await engine.removeContainers();
    await eventually(() => engine.traces().files.length === 0, {
      what: () => engine.traces().files.join(' '),
    });
  },
  30_000,
);

test('kill -9 of the daemon: execs live on, their codes are found, nothing of them is left', async () => {
  await box();
  const detach = async (script: string) => {
    const id = await makeExec(['sh', '-c', script], { stdin: false });
    expect((await engine.api('POST', `/exec/${id}/start`, { Detach: true })).status).toBe(200);
    return id;
  };
  const ends = await detach('sleep 0.5; exit 9');
  const lives = await detach('sleep 600');
  const { Pid } = await inspectExec(lives);
  const cut = await startExec(await makeExec(['cat']), {});
  await engine.stop('SIGKILL');
  await cut.untilEnd();
  await Bun.sleep(800);
  await engine.start();
  await eventually(async () => (await inspectExec(ends)).ExitCode === 9, {
    what: () => 'the code of the exec',
  });
  expect(await inspectExec(lives)).toMatchObject({ Running: true, ExitCode: null, Pid });
  expect(readFileSync(`/proc/${Pid}/cmdline`, 'utf8')).toBe('sleep\u0000600\u0000');
  // One whose client was cut has its stdin at an end.
  await engine.out(['exec', 'box', 'true']);
  const [id] = readdirSync(join(engine.execRoot, 'tasks'));
  const folder = join(engine.execRoot, 'tasks', id ?? '', '1', 'exec');
  await eventually(() => readdirSync(folder).every((name) => name === lives), {
    what: () => `only the living in ${readdirSync(folder).join(' ')}`,
  });
  await engine.removeContainers();
  await eventually(() => engine.traces().files.length === 0, { what: () => engine.traces().files.join(' ') });
  expect(readdirSync(join(engine.execRoot, 'exec-notes'))).toEqual([]);
  expect(readdirSync(join(engine.execRoot, 'oci', 'execs'))).toEqual([]);
}, 30_000);

test('a monitor that is killed ends its process, and the container lives', async () => {
  await box();
  const id = await makeExec(['sleep', '600'], { stdin: false });
  await engine.api('POST', `/exec/${id}/start`, { Detach: true });
  const { Pid } = await inspectExec(id);
  const parent = /^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${Pid}/status`, 'utf8'))?.[1];
  process.kill(Number(parent), 'SIGKILL');
  await eventually(async () => (await inspectExec(id)).ExitCode === 137, { what: () => 'an exit code' });
  expect(await engine.out(['exec', 'box', 'echo', 'alive'])).toBe('alive');
});
