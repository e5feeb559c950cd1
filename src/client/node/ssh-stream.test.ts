import { afterAll, beforeAll, expect, test } from 'bun:test';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Endpoint, parseEndpoint, type SshEndpoint } from '../endpoint.ts';
import { openSsh, sshCommand } from './ssh-stream.ts';

function endpointOf(host: string): SshEndpoint {
  const endpoint: Endpoint = parseEndpoint(host);
  if (endpoint.kind !== 'ssh') throw new Error(`${host} is not reached by ssh`);
  return endpoint;
}

test.each([
  ['ssh://me@host', { user: 'me', hostname: 'host', port: undefined, path: undefined }],
  ['ssh://host:22/', { user: undefined, hostname: 'host', port: 22, path: undefined }],
  [
    'ssh://me@[fe80::1]:2222/run/x.sock',
    { user: 'me', hostname: 'fe80::1', port: 2222, path: '/run/x.sock' },
  ],
])('%s', (host, expected) => {
  expect(endpointOf(host)).toMatchObject(expected);
});

test.each([
  ['ssh://u:secret@h', 'plain-text password is not supported'],
  ['ssh://h?x', 'query parameters are not allowed: "x"'],
  ['ssh://', 'hostname is empty'],
  ['ssh://-oProxyCommand=x', '"-oProxyCommand=x" is no name of a host or user'],
  ['ssh://-l@h', '"-l" is no name of a host or user'],
])('%s is refused', (host, reason) => {
  expect(() => parseEndpoint(host)).toThrow(`ssh host connection is not valid: invalid SSH URL: ${reason}`);
});

test('the command that ssh is called with', () => {
  const there = (args: string) =>
    `sh -c 'command -v docker >/dev/null 2>&1 && exec docker ${args}; exec sampan ${args}'`;
  expect(sshCommand(endpointOf('ssh://me@host:2222'))).toEqual([
    'ssh',
    '-l',
    'me',
    '-p',
    '2222',
    '-o',
    'ConnectTimeout=30',
    '-T',
    '--',
    'host',
    there('system dial-stdio'),
  ]);
  // Quoted twice: for its own shell, and for the one that ssh's word goes to.
  expect(sshCommand(endpointOf("ssh://host/a'b")).at(-1)).toContain(
    String.raw`-H '\''unix:///a'\''\'\'''\''b'\''`,
  );
});

/** In ssh's place: what it would have the other side's shell do is done here. */
const SSH = '#!/bin/sh\nfor word; do last=$word; done\nexec sh -c "$last"\n';
const DOCKER = '#!/bin/sh\necho "$@" >> "$0.log"\nexec cat\n';
let folder: string;
let path: string | undefined;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sampan-ssh-'));
  for (const [name, text] of [
    ['ssh', SSH],
    ['docker', DOCKER],
  ] as const) {
    writeFileSync(join(folder, name), text);
    chmodSync(join(folder, name), 0o755);
  }
  path = process.env['PATH'];
  process.env['PATH'] = `${folder}:${path}`;
});
afterAll(() => {
  process.env['PATH'] = path ?? '';
  rmSync(folder, { recursive: true, force: true });
});

test('bytes go both ways, and the end of ours is an end there', async () => {
  const stream = await openSsh(endpointOf("ssh://host/a b'c.sock"));
  await stream.write(Buffer.from('to and fro'));
  await stream.closeWrite();
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream.chunks) chunks.push(chunk);
  expect(Buffer.concat(chunks).toString()).toBe('to and fro');
  expect(readFileSync(join(folder, 'docker.log'), 'utf8')).toBe("-H unix:///a b'c.sock system dial-stdio\n");
  stream.close();
});

test('what ssh says of its failure is the error', async () => {
  writeFileSync(join(folder, 'ssh'), '#!/bin/sh\necho "ssh: no route" >&2\nexit 255\n');
  const stream = await openSsh(endpointOf('ssh://host'));
  const read = Array.fromAsync(stream.chunks);
  const error: unknown = await read.catch((reason: unknown) => reason);
  expect(String(error)).toContain(
    'error during connect: ssh://host: ssh has exited with exit status 255: ssh: no route',
  );
  stream.close();
});
