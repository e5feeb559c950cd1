import { afterEach, describe, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StreamPart } from '../demultiplex.ts';
import { chooseEndpoint } from './choose-endpoint.ts';
import { createBody } from './create-body.ts';
import { extractTar } from './extract-tar.ts';
import { Output } from './output.ts';
import { packFile, packLocal } from './tar-writer.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sampan-library-'));
  folders.push(folder);
  return folder;
}

const bytes = (text: string) => new TextEncoder().encode(text);
async function* each<T>(...items: T[]): AsyncGenerator<T, void, undefined> {
  for (const item of items) yield item;
}
const outputOf = (...parts: [StreamPart['stream'], string | Uint8Array][]) =>
  new Output(
    each(...parts.map(([stream, data]) => ({ stream, data: typeof data === 'string' ? bytes(data) : data }))),
  );

describe('output', () => {
  test('lines are whole, each stream for itself, whatever the parts', async () => {
    const euro = bytes('€');
    const output = outputOf(
      ['stdout', 'a'],
      ['stderr', 'x\r\ny'],
      ['stdout', 'b\n\nc'],
      ['stdout', euro.subarray(0, 1)],
      ['stderr', 'z'],
      ['stdout', euro.subarray(1)],
    );
    expect((await Array.fromAsync(output.lines())).map(({ stream, text }) => `${stream} ${text}`)).toEqual([
      'stderr x',
      'stdout ab',
      'stdout ',
      'stdout c€',
      'stderr yz',
    ]);
  });

  test('what is too long is an error', async () => {
    const long = outputOf(['stdout', 'x'.repeat(700_000)], ['stdout', 'x'.repeat(700_000)]);
    expect(Array.fromAsync(long.lines())).rejects.toMatchObject({ code: 'size-exceeded' });
    expect(outputOf(['stderr', 'four']).collect({ maxBytes: 3 })).rejects.toMatchObject({
      code: 'size-exceeded',
    });
    expect(await outputOf(['stderr', 'four']).collect({ maxBytes: 4 })).toEqual({
      stdout: '',
      stderr: 'four',
    });
  });

  test("the daemon's own words are an error", async () => {
    expect(outputOf(['stdout', 'a'], ['system', 'log is broken\n']).collect()).rejects.toThrow(
      'log is broken',
    );
  });
});

describe('extractTar()', () => {
  const member = (name: string, type: string, { target = '', content = '' } = {}) => {
    const tar = Buffer.from(packFile('x', content, {})).subarray(0, -1024);
    tar.fill(0, 0, 100).write(name, 0);
    tar.write(type, 156);
    tar.write(target, 157);
    tar.write('        ', 148);
    const sum = tar.subarray(0, 512).reduce((total, byte) => total + byte, 0);
    tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return tar;
  };
  const end = Buffer.alloc(1024);

  test.each([
    ['a path upwards', [member('top/../../escaped', '0', { content: 'x' })]],
    ['a path from the root', [member('/escaped', '0', { content: 'x' })]],
    ['a hard link upwards', [member('top/', '5'), member('top/l', '1', { target: '../outside' })]],
    ['a second name at the top', [member('top', '0'), member('other', '0')]],
    ['the folder itself', [member('./', '5')]],
    [
      'a file through a link',
      [member('top/', '5'), member('top/l', '2', { target: '..' }), member('top/l/escaped', '0')],
    ],
    ['no end', [member('top', '0', { content: 'x'.repeat(600) }).subarray(0, 700)]],
    ['no tar', [Buffer.alloc(512, 'x')]],
    ['nothing', []],
  ])('%s is refused, and nothing stays', async (_name, members) => {
    const folder = scratch();
    mkdirSync(join(folder, 'inner'));
    writeFileSync(join(folder, 'outside'), 'outside');
    const done = extractTar(
      each(Buffer.concat([...members, end.subarray(0, members.length > 1 ? 1024 : 0)])),
      join(folder, 'inner/copy'),
    );
    expect(
      await done.then(
        () => 'done',
        () => 'refused',
      ),
    ).toBe('refused');
    expect(readdirSync(folder).sort()).toEqual(['inner', 'outside']);
    expect(readdirSync(join(folder, 'inner'))).toEqual([]);
  });

  test('links that lead anywhere are made, and followed by none of it', async () => {
    const folder = scratch();
    const tar = [
      member('top/', '5'),
      member('top/l', '2', { target: '/etc' }),
      member('top/f', '0', { content: 'f' }),
      end,
    ];
    await extractTar(each(Buffer.concat(tar)), join(folder, 'copy'));
    expect(readlinkSync(join(folder, 'copy/l'))).toBe('/etc');
    expect(readFileSync(join(folder, 'copy/f'), 'utf8')).toBe('f');
  });

  test('what packLocal() packs comes out the same, byte by byte too', async () => {
    const folder = scratch();
    const deep = join(folder, 'tree', 'd'.repeat(120), 'ß');
    mkdirSync(deep, { recursive: true });
    writeFileSync(join(deep, 'file'), 'x'.repeat(513));
    writeFileSync(join(folder, 'tree/left-out'), '');
    const wants = (path: string) => path !== 'left-out';
    const tar = Buffer.concat(await Array.fromAsync(packLocal(join(folder, 'tree'), { wants })));
    await extractTar(each(...Array.from(tar, (byte) => Uint8Array.of(byte))), join(folder, 'copy'));
    expect(readFileSync(join(folder, 'copy', 'd'.repeat(120), 'ß/file'), 'utf8')).toBe('x'.repeat(513));
    expect(existsSync(join(folder, 'copy/left-out'))).toBe(false);
  });
});

describe('chooseEndpoint()', () => {
  test('what is said counts, then DOCKER_HOST, then DOCKER_CONTEXT, then our own socket', async () => {
    const folder = scratch();
    const id = createHash('sha256').update('far').digest('hex');
    mkdirSync(join(folder, 'contexts/meta', id), { recursive: true });
    mkdirSync(join(folder, 'contexts/tls', id, 'docker'), { recursive: true });
    writeFileSync(
      join(folder, 'contexts/meta', id, 'meta.json'),
      '{"Endpoints":{"docker":{"Host":"tcp://far:1"}}}',
    );
    writeFileSync(join(folder, 'contexts/tls', id, 'docker/ca.pem'), 'PEM');
    const env = { DOCKER_CONFIG: folder, DOCKER_CONTEXT: 'far', DOCKER_HOST: 'tcp://near:2' };
    const url = async (...args: Parameters<typeof chooseEndpoint>) =>
      (await chooseEndpoint(...args)).endpoint.url;
    expect(await url({ host: 'unix:///x' }, env)).toBe('unix:///x');
    expect(await url({ context: 'far' }, env)).toBe('tcp://far:1');
    expect(await url({}, env)).toBe('tcp://near:2');
    const far = await chooseEndpoint({}, { ...env, DOCKER_HOST: '' });
    expect([far.endpoint.url, far.tls]).toEqual([
      'tcp://far:1',
      { ca: 'PEM', cert: undefined, key: undefined, verify: true },
    ]);
    expect(await url({}, { DOCKER_CONFIG: folder })).toBe('unix:///run/sampan.sock');
    expect(url({ context: 'nosuch' }, env)).rejects.toThrow('context "nosuch": context not found');
    expect(await url({ host: 'ssh://me@x' }, env)).toBe('ssh://me@x');
    expect(url({ host: 'fd://x' }, env)).rejects.toThrow('invalid bind address format');
  });

  test('certificates come from DOCKER_CERT_PATH', async () => {
    const folder = scratch();
    writeFileSync(join(folder, 'key.pem'), 'KEY');
    const env = { DOCKER_HOST: 'tcp://near', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: folder };
    expect(await chooseEndpoint({}, env)).toEqual({
      endpoint: { kind: 'tcp', url: 'tcp://near:2376', hostname: 'near', port: 2376 },
      tls: { ca: undefined, cert: undefined, key: 'KEY', verify: true },
    });
  });
});

test("options become Docker's body", () => {
  const body = createBody('x', {
    ports: [80, { port: 53, protocol: 'udp', hostPort: 5353, hostIp: '' }],
    mounts: ['/a:/b:ro', { type: 'tmpfs', target: '/t', sizeBytes: 4096 }],
    cpus: 1.5,
    health: { test: ['true'], intervalMs: 1.5 },
    hostConfig: { ShmSize: 1 },
  });
  expect(body).toMatchObject({
    Image: 'x',
    ExposedPorts: { '80/tcp': {}, '53/udp': {} },
    Healthcheck: { Test: ['CMD', 'true'], Interval: 1_500_000 },
    HostConfig: {
      PortBindings: {
        '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }],
        '53/udp': [{ HostIp: '', HostPort: '5353' }],
      },
      Binds: ['/a:/b:ro'],
      Mounts: [{ Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 4096 } }],
      NanoCpus: 1.5e9,
      ShmSize: 1,
    },
  });
  expect(() => createBody('x', { ports: [70_000] })).toThrow('invalid port 70000');
});
