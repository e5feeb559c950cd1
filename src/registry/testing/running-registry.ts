import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunningRegistry } from '../server/serve-registry.ts';

const BINARY = '/usr/bin/docker-registry';

export function hasDockerRegistry(): boolean {
  return existsSync(BINARY);
}

/**
 * Debian's docker-registry on a port of loopback, with a folder of its own that goes with it.
 *
 * @param users Name and password: with any, it wants a login for everything.
 * @param place By default a free port; `0.0.0.0` listens on all addresses.
 */
export async function startDockerRegistry(
  users: Readonly<Record<string, string>> = {},
  place: { port?: number; address?: '127.0.0.1' | '0.0.0.0' } = {},
): Promise<RunningRegistry> {
  const directory = await mkdtemp(join(tmpdir(), 'sampan-registry-'));
  const port = place.port ?? (await freePort());
  const config = {
    version: '0.1',
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: join(directory, 'data') }, delete: { enabled: true } },
    http: { addr: `${place.address ?? '127.0.0.1'}:${port}` },
    ...(await authOf(users, join(directory, 'htpasswd'))),
  };
  // JSON is YAML too.
  await writeFile(join(directory, 'config.yml'), JSON.stringify(config));
  const child = Bun.spawn([BINARY, 'serve', join(directory, 'config.yml')], {
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'ignore',
    env: {},
  });
  const close = async () => {
    child.kill();
    await child.exited;
    await rm(directory, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}`;
  try {
    await answers(`${url}/v2/`, child);
  } catch (error) {
    await close();
    throw error;
  }
  return { url, port, close };
}

async function authOf(users: Readonly<Record<string, string>>, path: string): Promise<object> {
  const lines = Object.entries(users).map(async ([name, password]) => {
    const hash = await Bun.password.hash(password, { algorithm: 'bcrypt', cost: 4 });
    return `${name}:${hash}\n`;
  });
  if (lines.length === 0) return {};
  await writeFile(path, (await Promise.all(lines)).join(''));
  return { auth: { htpasswd: { realm: 'test', path } } };
}

async function answers(url: string, child: { exitCode: number | null }): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const ok = await fetch(url).then(
      (response) => response.ok || response.status === 401,
      () => false,
    );
    if (ok) return;
    if (child.exitCode !== null) throw new Error(`docker-registry ended with ${child.exitCode}`);
    if (Date.now() > deadline) throw new Error('docker-registry does not answer');
    await Bun.sleep(30);
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
