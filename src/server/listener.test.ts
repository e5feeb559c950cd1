import { afterEach, beforeEach, expect, test } from 'bun:test';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { silentLogger } from '../errors/logger.ts';
import { ApiServer } from './api-server.ts';
import { parseListenAddress } from './listen-address.ts';
import { FakeEngine } from './testing/fake-backends.ts';
import { RawClient } from './testing/raw-client.ts';
import { eventually } from './testing/test-server.ts';

let directory: string;
let server: ApiServer;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sampan-listen-'));
  server = newServer();
});
afterEach(async () => {
  await server.close(100);
  rmSync(directory, { recursive: true, force: true });
});

const newServer = (maxConnections?: number) =>
  new ApiServer(new FakeEngine(), {
    build: { version: '0.1.0', gitCommit: '', buildTime: '' },
    logger: silentLogger,
    ...(maxConnections === undefined ? {} : { maxConnections }),
  });
const unix = (name: string) =>
  parseListenAddress(`unix://${join(directory, name)}`, { group: 'no-such-group' });
const ping = (path: string) =>
  fetch('http://docker/_ping', { unix: path }).then((response) => response.text());
const refusalOf = (promise: Promise<string>) => promise.catch((error: Error) => error.message);
const run = (...command: string[]) => Bun.spawnSync(command, { stdout: 'pipe', stderr: 'pipe' });

test('connections beyond the limit are closed, and their place is free again once one has gone', async () => {
  await server.close(100);
  server = newServer(2);
  await server.listen(unix('api.sock'));
  const path = join(directory, 'api.sock');
  const held = await Promise.all([RawClient.connect(path), RawClient.connect(path)]);
  await eventually(() => server.connections === 2, 'two clients');
  const third = await RawClient.connect(path);
  await eventually(() => third.ended, 'the third is sent away');
  for (const { socket } of held) socket.destroy();
  await eventually(() => server.connections === 0, 'the others have gone');
  expect(await ping(path)).toBe('OK');
});

test('addresses are read as dockerd reads them', () => {
  expect(parseListenAddress('unix:///run/x.sock')).toEqual({
    kind: 'unix',
    path: '/run/x.sock',
    group: 'docker',
  });
  expect(parseListenAddress('fd://')).toEqual({ kind: 'fd', fd: undefined });
  expect(parseListenAddress('fd://3')).toEqual({ kind: 'fd', fd: 3 });
  const tcp = (text: string) => {
    const address = parseListenAddress(text);
    return address.kind === 'tcp' ? [address.host, address.port] : undefined;
  };
  expect(tcp('tcp://')).toEqual(['127.0.0.1', 2375]);
  expect(tcp('tcp://:0')).toEqual(['127.0.0.1', 0]);
  expect(tcp('tcp://[::1]:1')).toEqual(['::1', 1]);
  for (const text of [
    '',
    '/run/x.sock',
    'unix://x',
    'http://x',
    'tcp://x:99999',
    'tcp://a:b',
    'fd://x',
    'unix://',
  ])
    expect(() => parseListenAddress(text), text).toThrow('invalid bind address');
});

test('a unix socket is 0660, replaces a stale one, and goes with the server', async () => {
  const path = join(directory, 'api.sock');
  const crashed = run(
    process.execPath,
    '-e',
    `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`,
  );
  expect(crashed.signalCode).toBe('SIGKILL');
  expect(existsSync(path)).toBe(true);
  expect(await server.listen(unix('api.sock'))).toBe(`unix://${path}`);
  expect(statSync(path).mode & 0o777).toBe(0o660);
  expect(await ping(path)).toBe('OK');
  await server.close(100);
  expect(existsSync(path)).toBe(false);
});

test('a socket that is served, or a file that is none, is left alone', async () => {
  await server.listen(unix('api.sock'));
  const second = newServer();
  expect(await refusalOf(second.listen(unix('api.sock')))).toContain('another process serves it');
  writeFileSync(join(directory, 'file'), 'x');
  expect(await refusalOf(second.listen(unix('file')))).toContain('a file that is no socket is in the way');
  await second.close(100);
  expect(await ping(join(directory, 'api.sock'))).toBe('OK');
});

test('one server listens on many sockets', async () => {
  await server.listen(unix('a'));
  await server.listen(unix('b'));
  expect(await Promise.all(['a', 'b'].map((name) => ping(join(directory, name))))).toEqual(['OK', 'OK']);
});

test('TCP is for loopback, unless somebody insists', async () => {
  for (const host of ['0.0.0.0', '[::]', '127.evil.example', '192.0.2.1'])
    expect(await refusalOf(server.listen(parseListenAddress(`tcp://${host}:0`)))).toContain(
      'whoever reaches it would be root here',
    );
  await server.listen(parseListenAddress('tcp://0.0.0.0:0', { insecure: true }));
});

test('over TCP what a web page could send is refused', async () => {
  const url = (await server.listen(parseListenAddress('tcp://127.0.0.1:0'))).replace('tcp:', 'http:');
  const status = async (headers: Record<string, string>) => (await fetch(`${url}/_ping`, { headers })).status;
  expect(await status({})).toBe(200);
  expect(await status({ Host: 'localhost:2375' })).toBe(200);
  expect(await status({ Origin: 'http://localhost' })).toBe(403);
  expect(await status({ Origin: 'null' })).toBe(403);
  expect(await status({ Host: 'rebound.example' })).toBe(403);
  // As a service's container is called: nobody on the internet can give that name an address.
  expect(await status({ Host: 'docker:2375' })).toBe(200);
});

test('over TCP an attach without Upgrade is guarded as well', async () => {
  const url = await server.listen(parseListenAddress('tcp://127.0.0.1:0'));
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port: Number(url.split(':').at(-1)),
    socket: { data: (_socket, data) => resolve(data.toString()) },
  });
  socket.write('POST /containers/x/attach HTTP/1.1\r\nHost: rebound.example\r\n\r\n');
  expect(await promise).toStartWith('HTTP/1.1 403 Forbidden');
  socket.end();
});

test('a taken port is told', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => {
    other.listen(0, '127.0.0.1', resolve);
  });
  const { port } = other.address() as { port: number };
  expect(await refusalOf(server.listen(parseListenAddress(`tcp://127.0.0.1:${port}`)))).toContain(
    'Cannot listen on 127.0.0.1',
  );
  other.close();
});

/** The number of our descriptor that listens on a path. */
function listeningFd(path: string): number {
  const line = readFileSync('/proc/net/unix', 'utf8')
    .split('\n')
    .find((entry) => entry.endsWith(` ${path}`));
  const inode = line?.split(/ +/)[6];
  const isOurs = (fd: string) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === `socket:[${inode}]`;
    } catch {
      return false;
    }
  };
  return Number(readdirSync('/proc/self/fd').find(isOurs));
}

test('sockets passed by systemd are served, and only when they are meant for this process', async () => {
  const script = join(directory, 'serve.ts');
  const module = (name: string) => JSON.stringify(join(import.meta.dir, name));
  writeFileSync(
    script,
    `import { ApiServer } from ${module('api-server.ts')};
import { parseListenAddress } from ${module('listen-address.ts')};
import { FakeEngine } from ${module('testing/fake-backends.ts')};
const quiet = () => undefined;
const server = new ApiServer(new FakeEngine(), { build: { version: '1', gitCommit: '', buildTime: '' }, logger: { debug: quiet, info: quiet, warn: quiet, error: quiet } });
if (process.argv[2] === 'ours') process.env.LISTEN_PID = String(process.pid);
try { console.log(await server.listen(parseListenAddress('fd://'))); } catch (error) { console.log(error.message); process.exit(); }
`,
  );
  const holder = createServer();
  await new Promise<void>((resolve) => {
    holder.listen(join(directory, 'first.sock'), resolve);
  });
  const start = (whose: string, fd: number) =>
    Bun.spawn([process.execPath, script, whose], {
      stdio: ['ignore', 'pipe', 'inherit', fd],
      env: { ...process.env, LISTEN_FDS: '1', LISTEN_PID: '1' },
    });
  const fd = listeningFd(join(directory, 'first.sock'));
  const stranger = start('not ours', fd);
  expect(await new Response(stranger.stdout).text()).toContain('no sockets found via socket activation');
  const activated = start('ours', fd);
  try {
    const path = join(directory, 'passed.sock');
    renameSync(join(directory, 'first.sock'), path);
    holder.close();
    const { value } = await activated.stdout.getReader().read();
    expect(new TextDecoder().decode(value)).toBe('fd://3\n');
    expect(await ping(path)).toBe('OK');
  } finally {
    activated.kill();
    await activated.exited;
  }
});

test('TLS with a CA lets in who has its certificate, and nobody else', async () => {
  const openssl = (...args: string[]) => {
    const { exitCode, stderr } = run('openssl', ...args);
    if (exitCode !== 0) throw new Error(stderr.toString());
  };
  const file = (name: string) => join(directory, name);
  for (const name of ['ca', 'stranger'])
    openssl(
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      file(`${name}.key`),
      '-out',
      file(`${name}.crt`),
      '-addext',
      'subjectAltName=IP:127.0.0.1',
    );
  const read = (name: string) => Bun.file(file(name)).text();
  const [cert, key] = [await read('ca.crt'), await read('ca.key')];
  const url = await server.listen(
    parseListenAddress('tcp://127.0.0.1:0', { tls: { cert, key, clientCa: cert } }),
  );
  const get = (identity: { cert?: string; key?: string }) =>
    new Promise<string>((resolve) => {
      const socket = connectTls({
        host: '127.0.0.1',
        port: Number(url.split(':').at(-1)),
        ca: cert,
        ...identity,
      });
      let text = '';
      socket.on('secureConnect', () =>
        socket.write('GET /_ping HTTP/1.1\r\nHost: any.example\r\nConnection: close\r\n\r\n'),
      );
      socket.on('data', (data: Buffer) => {
        text += data.toString();
      });
      socket.on('close', () => resolve(text));
      socket.on('error', () => socket.destroy());
    });
  expect(await get({ cert, key })).toStartWith('HTTP/1.1 200 OK');
  expect(await get({})).toBe('');
  expect(await get({ cert: await read('stranger.crt'), key: await read('stranger.key') })).toBe('');
});
