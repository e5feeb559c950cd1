import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogFields } from '../../errors/logger.ts';
import { ApiServer } from '../api-server.ts';
import { FakeEngine } from './fake-backends.ts';
import { RawClient } from './raw-client.ts';

export interface TestServer {
  engine: FakeEngine;
  server: ApiServer;
  path: string;
  /** What was logged as an error. */
  errors: LogFields[];
  request(path: string, init?: RequestInit): Promise<Response>;
  connect(): Promise<RawClient>;
  stop(): Promise<void>;
}

/** An ApiServer over fakes on a socket of its own. */
export async function startTestServer(): Promise<TestServer> {
  const directory = mkdtempSync(join(tmpdir(), 'sampan-server-'));
  const path = join(directory, 'api.sock');
  const engine = new FakeEngine();
  const errors: LogFields[] = [];
  const server = new ApiServer(engine, {
    build: { version: '0.1.0', gitCommit: 'abcdef0', buildTime: '2026-01-01T00:00:00Z' },
    logger: {
      debug: () => undefined,
      info: () => undefined,
      warn: () => undefined,
      error: (_message, fields) => errors.push(fields ?? {}),
    },
  });
  await server.listen({ kind: 'unix', path, group: 'no-such-group' });
  return {
    engine,
    server,
    path,
    errors,
    request: (target, init) => fetch(`http://docker${target}`, { ...init, unix: path }),
    connect: () => RawClient.connect(path),
    stop: async () => {
      await server.close(200);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Resolves to the value that `read` stays at for a quarter of a second; fails aloud when it never does. */
export async function settled(read: () => number, what: string): Promise<number> {
  let last = read();
  for (let quiet = 0, waited = 0; waited < 10_000; waited += 25) {
    await new Promise((resolve) => setTimeout(resolve, 25));
    quiet = read() === last ? quiet + 25 : 0;
    last = read();
    if (quiet >= 250) return last;
  }
  throw new Error(`never came to rest: ${what}`);
}

/** Resolves once `isTrue` holds; fails aloud after ten seconds. */
export async function eventually(isTrue: () => boolean, what: string): Promise<void> {
  for (let waited = 0; waited < 10_000; waited += 5) {
    if (isTrue()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`never happened: ${what}`);
}
