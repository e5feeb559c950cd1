import { afterEach, beforeEach, expect, test } from 'bun:test';
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { appendFileSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { silentLogger } from '../../../errors/logger.ts';
import { DatagramListener } from '../../../sys/testing/datagram-listener.ts';
import type { LogLine } from '../../container-backend.ts';
import { LogFiles } from '../log-files.ts';
import { JournaldConsumer } from './journald-consumer.ts';
import type { LogConsumer } from './log-consumer.ts';
import { LogShipper } from './log-shipper.ts';
import { SyslogConsumer } from './syslog-consumer.ts';
import { parseSyslogOptions } from './syslog-options.ts';

let directory = '';
const closers: (() => void)[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sampan-drv-'));
});
afterEach(() => {
  for (const close of closers.splice(0)) close();
  rmSync(directory, { recursive: true, force: true });
});

const TIME = 1_795_655_871_057_676_123n;
const line = (text: string, stream: LogLine['stream'] = 'stdout', nano = TIME): LogLine => ({
  stream,
  timeNano: nano,
  data: Buffer.from(text),
});
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await Bun.sleep(1);
}
function listenDatagram(): { path: string; messages: Buffer[] } {
  const path = join(directory, `s${closers.length}`);
  const listener = new DatagramListener(path);
  closers.push(() => listener.close());
  return { path, messages: listener.messages };
}
async function listenStream(make: (onSocket: (socket: Socket) => void) => Server) {
  const got = { text: '' };
  const sockets = new Set<Socket>();
  const server = make((socket) => {
    sockets.add(socket);
    socket.on('data', (data: Buffer) => {
      got.text += data.toString();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const drop = () => {
    for (const socket of sockets) socket.destroy();
  };
  closers.push(() => {
    drop();
    server.close();
  });
  const { port } = server.address() as { port: number };
  return { got, port, drop };
}
const syslog = (address: string, more: Record<string, string> = {}) =>
  SyslogConsumer.open(parseSyslogOptions({ 'syslog-address': address, ...more }), 'name/0123');
const local = (nano: bigint) => new Date(Number(nano / 1_000_000n));
const short = () => {
  const date = local(TIME);
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) =>
    String(part).padStart(2, '0'),
  );
  return `Nov ${String(date.getDate()).padStart(2, ' ')} ${clock.join(':')}`;
};

// Forms as Docker 28.5 sends them.
test('syslog to a datagram socket file: one message a line, empty ones left out', async () => {
  const { path, messages } = listenDatagram();
  for (const scheme of ['unixgram', 'unix']) {
    const consumer = await syslog(`${scheme}://${path}`);
    await consumer.send([line('out\n'), line('err\n', 'stderr'), line('\n'), line('part')]);
    consumer.close();
  }
  await until(() => messages.length === 6);
  const expected = [
    `<30>${short()} name/0123[${process.pid}]: out\n`,
    `<27>${short()} name/0123[${process.pid}]: err\n`,
    `<30>${short()} name/0123[${process.pid}]: part\n`,
  ];
  expect(messages.map(String)).toEqual([...expected, ...expected]);
});

test('syslog over UDP, by facility and in each form', async () => {
  const messages: string[] = [];
  const socket = createSocket('udp4', (message) => messages.push(message.toString()));
  closers.push(() => socket.close());
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  for (const format of ['rfc3164', 'rfc5424', 'rfc5424micro']) {
    const consumer = await syslog(`udp://127.0.0.1:${socket.address().port}`, {
      'syslog-format': format,
      'syslog-facility': 'local3',
    });
    await consumer.send([line('hi\n')]);
    consumer.close();
  }
  await until(() => messages.length === 3);
  const tag = 'name/0123';
  expect(messages[0]).toBe(`<158>${short()} ${hostname()} ${tag}[${process.pid}]: hi\n`);
  const rest = ` ${hostname()} ${tag} ${process.pid} ${tag} - hi\n`;
  const zone = '(?:Z|[+-]\\d\\d:\\d\\d)';
  expect(messages[1]).toMatch(new RegExp(`^<158>1 \\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d${zone} `));
  expect(messages[1]?.endsWith(rest)).toBe(true);
  expect(messages[2]).toMatch(new RegExp(`^<158>1 [\\dT:-]+\\.057676${zone} `));
});

test('syslog over TCP: a connection that breaks is made anew; nobody there is told as Docker does', async () => {
  const { got, port, drop } = await listenStream((onSocket) => createServer(onSocket));
  const consumer = await syslog(`tcp://127.0.0.1:${port}`);
  await consumer.send([line('one\n'), line('two\n')]);
  await until(() => got.text.includes('two\n'));
  drop();
  await Bun.sleep(20);
  for (let sent = false; !sent; )
    sent = await consumer.send([line('three\n')]).then(
      () => true,
      () => false,
    );
  await until(() => got.text.endsWith('three\n'));
  consumer.close();
  expect(got.text.split('\n').map((text) => text.split(': ')[1])).toEqual(['one', 'two', 'three', undefined]);
  expect(syslog('tcp://127.0.0.1:1')).rejects.toThrow('dial tcp 127.0.0.1:1: connect: connection refused');
  expect(syslog('unixgram:///nowhere/x')).rejects.toThrow();
});

test('syslog over TLS: lengths before messages; a certificate that nobody vouches for is refused', async () => {
  const [key, cert] = [join(directory, 'key'), join(directory, 'cert')];
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      key,
      '-out',
      cert,
      '-days',
      '2',
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=DNS:localhost,IP:127.0.0.1',
    ],
    { stdio: 'ignore' },
  );
  const { got, port } = await listenStream((onSocket) =>
    createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }, onSocket),
  );
  const address = `tcp+tls://127.0.0.1:${port}`;
  const format = { 'syslog-format': 'rfc5424' };
  const consumer = await syslog(address, { ...format, 'syslog-tls-ca-cert': cert });
  await consumer.send([line('hi\n')]);
  await until(() => got.text.endsWith('hi\n'));
  consumer.close();
  const [, length, message] = /^(\d+) (<30>1 .*hi\n)$/s.exec(got.text) ?? [];
  expect(Number(length)).toBe(message?.length ?? 0);
  expect(syslog(address, format)).rejects.toThrow();
  (await syslog(address, { ...format, 'syslog-tls-skip-verify': '1' })).close();
});

test("journald's native protocol, with the fields that Docker gives", async () => {
  const { path, messages } = listenDatagram();
  const consumer = new JournaldConsumer(
    {
      containerId: '0123456789abcdef',
      containerName: 'web',
      imageName: 'busybox',
      tag: '0123456789ab',
      attributes: new Map([['my.label', 'a\nb']]),
    },
    path,
  );
  consumer.check();
  await consumer.send([line('hello\n'), line('\n'), line('half', 'stderr')]);
  await until(() => messages.length === 2);
  const common = [
    'CONTAINER_ID=0123456789ab',
    'CONTAINER_ID_FULL=0123456789abcdef',
    'CONTAINER_NAME=web',
    'CONTAINER_TAG=0123456789ab',
    'IMAGE_NAME=busybox',
    'SYSLOG_IDENTIFIER=0123456789ab',
    'SYSLOG_TIMESTAMP=2026-11-26T01:17:51.057676123Z',
  ];
  const label = 'MY_LABEL\n\u0003\0\0\0\0\0\0\0a\nb\n';
  const [first = '', second = ''] = messages.map(String);
  expect(first).toBe(`${['MESSAGE=hello', 'PRIORITY=6', ...common].join('\n')}\n${label}`);
  expect(second).toBe(
    `${['MESSAGE=half', 'PRIORITY=3', ...common, 'CONTAINER_PARTIAL_MESSAGE=true'].join('\n')}\n${label}`,
  );
  consumer.close();
  expect(() =>
    new JournaldConsumer(
      { containerId: '', containerName: '', imageName: '', tag: '', attributes: new Map() },
      join(directory, 'nobody'),
    ).check(),
  ).toThrow('journald is not enabled on this host');
});

test('a shipper goes on where the last one left off, over rotations and a consumer that is away', async () => {
  const path = join(directory, 'container.log');
  const got: string[] = [];
  let away = false;
  const consumer = (): LogConsumer => ({
    send: async (lines) => {
      if (away) throw new Error('away');
      got.push(...lines.map(({ data }) => Buffer.from(data).toString()));
    },
    close: () => undefined,
  });
  const print = (...texts: string[]) =>
    appendFileSync(
      path,
      texts.map((text) => `2026-11-26T01:17:51.057676123+00:00 stdout ${text}\n`).join(''),
    );
  const ship = () =>
    new LogShipper({
      files: new LogFiles(path),
      placePath: join(directory, 'shipped'),
      consumer: consumer(),
      logger: silentLogger,
      containerId: 'x',
    });
  print('F one', 'F two');
  const first = ship();
  await until(() => got.length === 2);
  print('P half ');
  await Bun.sleep(20);
  await first.stop();
  expect(got).toEqual(['one\n', 'two\n']);
  print('F line');
  renameSync(path, `${path}.1`);
  print('F three');
  const second = ship();
  await until(() => got.length === 4);
  away = true;
  print('F four');
  await Bun.sleep(20);
  away = false;
  await second.finish(5000);
  expect(got).toEqual(['one\n', 'two\n', 'half line\n', 'three\n', 'four\n']);
  const third = ship();
  await third.finish(5000);
  expect(got.length).toBe(5);
});
