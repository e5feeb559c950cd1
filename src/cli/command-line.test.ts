import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// The program as a process of its own: signals and full disks. Expected: what the stock client 28.5 does.
const directory = mkdtempSync(join(tmpdir(), 'sampan-cli-'));
const socket = join(directory, 's');
const kills: string[] = [];
let started = false;
let server: Server;

/** A daemon whose container starts, heeds no signal and never ends. */
beforeAll(async () => {
  server = createServer((request, response) => {
    const url = request.url ?? '';
    response.setHeader('Api-Version', '1.51');
    request.resume();
    if (url.includes('/kill')) kills.push(/signal=(\w+)/.exec(url)?.[1] ?? '');
    if (url.includes('/start')) started = true;
    if (url.includes('/wait')) return response.flushHeaders();
    if (url.includes('/images/get')) return void response.write('the beginning of an archive');
    if (url.includes('/containers/create')) {
      response.statusCode = 201;
      return void response.end('{"Id":"c0ffee","Warnings":[]}');
    }
    response.statusCode = url.includes('/_ping') ? 200 : 204;
    response.end();
  });
  server.on('upgrade', (_request, connection) => {
    connection.on('error', () => undefined);
    connection.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
  });
  await new Promise<void>((resolve) => {
    server.listen(socket, resolve);
  });
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

function spawn(args: string[], redirect = '') {
  const program = [process.execPath, join(import.meta.dir, 'main.ts'), ...args];
  return Bun.spawn(['sh', '-c', `exec "$@" ${redirect}`, 'sh', ...program], {
    env: { ...process.env, DOCKER_HOST: `unix://${socket}` },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  });
}

async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 8000; !condition(); await Bun.sleep(20))
    if (Date.now() > end) throw new Error('it did not come to pass');
}

test('two signals go to the container, the third ends a client that waits in vain', async () => {
  const client = spawn(['run', 'x', 'sleep', '100']);
  await until(() => started);
  for (const count of [1, 2]) {
    client.kill('SIGINT');
    await until(() => kills.length === count);
  }
  client.kill('SIGINT');
  expect([await client.exited, await new Response(client.stderr).text()]).toEqual([
    1,
    '\ngot 3 SIGTERM/SIGINTs, forcefully exiting\n',
  ]);
  expect(kills).toEqual(['INT', 'INT']);
});

test('an interrupted save leaves nothing', async () => {
  const client = spawn(['save', '-o', join(directory, 'out.tar'), 'x']);
  const beginnings = () => readdirSync(directory).filter((name) => name.startsWith('.tmp-out.tar'));
  await until(() => beginnings().length === 1);
  client.kill('SIGINT');
  expect([await client.exited, await new Response(client.stderr).text()]).toEqual([130, '']);
  expect(readdirSync(directory).filter((name) => name.includes('out.tar'))).toEqual([]);
});

test('a full disk is told, with a status of failure', async () => {
  const client = spawn(['version', '--format', 'x'], '>/dev/full');
  expect([await client.exited, await new Response(client.stderr).text()]).toEqual([
    1,
    'write /dev/stdout: no space left on device\n',
  ]);
});
