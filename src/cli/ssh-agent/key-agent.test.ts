import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must, run } from '../../../test/support/engine/command.ts';
import { agentFrame, agentFrames } from './agent-frames.ts';
import { KeyAgent } from './key-agent.ts';
import { parsePrivateKey } from './private-key.ts';

const work = mkdtempSync(join(tmpdir(), 'key-agent-'));
const servers: Server[] = [];

afterAll(() => {
  for (const server of servers) server.close();
  rmSync(work, { recursive: true, force: true });
});

/** OpenSSH's own programs talk to it. */
async function listen(agent: KeyAgent, name: string): Promise<string> {
  const path = join(work, `${name}.sock`);
  const serve = async (socket: Socket): Promise<void> => {
    for await (const message of agentFrames(socket as AsyncIterable<Uint8Array>))
      socket.write(agentFrame(agent.answer(message)));
    socket.end();
  };
  const server = createServer((socket) => void serve(socket).catch(() => socket.destroy()));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return path;
}

const KINDS: [string, string[]][] = [
  ['ed25519', ['-t', 'ed25519']],
  ['rsa', ['-t', 'rsa', '-b', '2048']],
  ['rsa-pem', ['-t', 'rsa', '-b', '2048', '-m', 'PEM']],
  ['p256', ['-t', 'ecdsa', '-b', '256']],
  ['p384', ['-t', 'ecdsa', '-b', '384']],
  ['p521', ['-t', 'ecdsa', '-b', '521']],
  ['p256-pkcs8', ['-t', 'ecdsa', '-b', '256', '-m', 'PKCS8']],
];

describe.each(KINDS)('a key of ssh-keygen: %s', (name, options) => {
  const key = join(work, name);
  let socket: string;
  beforeAll(async () => {
    await must(['ssh-keygen', '-q', '-N', '', '-C', 'me', '-f', key, ...options]);
    socket = await listen(new KeyAgent([parsePrivateKey(readFileSync(key, 'utf8'))]), name);
  });

  test('is listed by ssh-add as it is by ssh-keygen', async () => {
    const listed = await must(['ssh-add', '-L'], { env: { SSH_AUTH_SOCK: socket } });
    const [kind, blob] = readFileSync(`${key}.pub`, 'utf8').split(' ');
    expect(listed.trim().split(' ').slice(0, 2)).toEqual([kind as string, blob as string]);
  });

  test('signs what ssh-keygen finds good, and nothing for another key', async () => {
    const env = { SSH_AUTH_SOCK: socket };
    // A copy without the private half beside it: only the agent can sign.
    const half = join(work, `${name}-half.pub`);
    writeFileSync(half, readFileSync(`${key}.pub`));
    const text = join(work, `${name}-text`);
    writeFileSync(text, 'said');
    await must(['ssh-keygen', '-Y', 'sign', '-f', half, '-n', 'file', text], { env });
    const signers = join(work, `${name}-signers`);
    writeFileSync(signers, `me ${readFileSync(`${key}.pub`, 'utf8')}`);
    const verify = ['-Y', 'verify', '-f', signers, '-I', 'me', '-n', 'file', '-s', `${text}.sig`];
    expect(await run(['ssh-keygen', ...verify], { stdin: 'said' })).toMatchObject({ code: 0 });
    expect((await run(['ssh-keygen', ...verify], { stdin: 'other' })).code).not.toBe(0);
  });
});

test('keys are not added, removed or locked', async () => {
  const socket = await listen(new KeyAgent([]), 'refusing');
  const env = { SSH_AUTH_SOCK: socket };
  await must(['ssh-keygen', '-q', '-N', '', '-t', 'ed25519', '-f', join(work, 'added')]);
  expect((await run(['ssh-add', join(work, 'added')], { env })).code).not.toBe(0);
  expect((await run(['ssh-add', '-D'], { env })).code).not.toBe(0);
  expect((await run(['ssh-add', '-l'], { env })).stdout).toContain('The agent has no identities');
});

test('a key with a passphrase, and what is no key, are refused in Go’s words', async () => {
  const path = join(work, 'locked');
  await must(['ssh-keygen', '-q', '-N', 'secret', '-t', 'ed25519', '-f', path]);
  expect(() => parsePrivateKey(readFileSync(path, 'utf8'))).toThrow(
    'ssh: this private key is passphrase protected',
  );
  await must([
    'ssh-keygen',
    '-q',
    '-N',
    'secret',
    '-m',
    'PEM',
    '-t',
    'rsa',
    '-b',
    '2048',
    '-f',
    `${path}-pem`,
  ]);
  expect(() => parsePrivateKey(readFileSync(`${path}-pem`, 'utf8'))).toThrow('passphrase protected');
  expect(() => parsePrivateKey('some words')).toThrow('ssh: no key found');
  expect(() =>
    parsePrivateKey('-----BEGIN OPENSSH PRIVATE KEY-----\nYWJj\n-----END OPENSSH PRIVATE KEY-----\n'),
  ).toThrow('ssh: invalid openssh private key format');
});

test('a message that is too long, or empty, ends the connection', async () => {
  const read = async (bytes: Uint8Array) => {
    const pieces = async function* () {
      yield bytes;
    };
    const messages: Uint8Array[] = [];
    for await (const message of agentFrames(pieces())) messages.push(message.slice());
    return messages;
  };
  const long = new Uint8Array([0x7f, 0xff, 0xff, 0xff, 1]);
  const failure = await read(long).then(String, String);
  expect(failure).toContain('an ssh-agent message of 2147483647 bytes');
  expect(await read(new Uint8Array(4)).then(String, String)).toContain('of 0 bytes');
  expect(await read(new Uint8Array([0, 0, 0, 1, 11, 0, 0, 0, 2, 13]))).toEqual([new Uint8Array([11])]);
});
