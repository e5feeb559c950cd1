import { afterEach, beforeEach, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import { type Logger, silentLogger } from '../../errors/logger.ts';
import { patience } from '../../sys/testing/patience.ts';
import { ProcessPortHolder } from './process-port-holder.ts';
import type { PortHolding } from './published-ports.ts';
import { freePorts, listenAnywhere } from './testing/free-ports.ts';

let directory: string;
let pids: number[];
let holder: ProcessPortHolder;
let lost: number;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ports-'));
  pids = [];
  lost = 0;
  holder = opened();
});
afterEach(async () => {
  await holder.close();
  for (const pid of pids.filter(isHelper)) process.kill(pid, 'SIGKILL');
  rmSync(directory, { recursive: true });
});

function opened(): ProcessPortHolder {
  const debug: Logger['debug'] = (_message, fields) => void pids.push(Number(fields?.['pid']));
  const made = new ProcessPortHolder({ directory, logger: { ...silentLogger, debug }, patienceMs: 2000 });
  made.onLost(() => void lost++);
  return made;
}

function isHelper(pid: number): boolean {
  const path = `/proc/${pid}/cmdline`;
  return existsSync(path) && readFileSync(path, 'utf8').includes(directory);
}

const holding = (hostPort: number): PortHolding => ({
  protocol: 'tcp',
  hostAddress: '127.0.0.1',
  hostPort,
  containerPort: 1,
  target: '127.0.0.1',
  containerId: 'a',
  containerName: 'a',
});

function isTaken(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const client = connect({ host: '127.0.0.1', port });
  client.on('error', () => resolve(false));
  client.on('connect', () => {
    client.destroy();
    resolve(true);
  });
  return promise;
}

const failureOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

test(
  'a helper that does not answer is ended, with what it held and would yet hold; another takes its place',
  async () => {
    const [first, second] = await freePorts();
    await holder.hold([holding(first)]);
    const [hung] = pids;
    process.kill(hung!, 'SIGSTOP');
    const failure = await failureOf(holder.hold([holding(second)]));
    expect(failure).toBeInstanceOf(EngineError);
    expect(messageOf(failure)).toBe('The holder of published ports does not answer');
    expect(isHelper(hung!)).toBe(false);
    expect(lost).toBe(1);
    expect([await isTaken(first), await isTaken(second)]).toEqual([false, false]);
    await holder.hold([holding(first)]);
    expect(pids).toHaveLength(2);
    expect([await isTaken(first), await isTaken(second)]).toEqual([true, false]);
  },
  30_000 * patience,
);

test(
  'one that an earlier daemon has started is ended, too, when it does not answer',
  async () => {
    const [first] = await freePorts();
    await holder.hold([holding(first)]);
    await holder.close();
    const [hung] = pids;
    holder = opened();
    process.kill(hung!, 'SIGSTOP');
    expect(await failureOf(holder.find())).toBeInstanceOf(EngineError);
    expect(isHelper(hung!)).toBe(false);
    await holder.hold([holding(first)]);
  },
  30_000 * patience,
);

test(
  'one that answers is left running when the daemon goes',
  async () => {
    const [first] = await freePorts();
    await holder.hold([holding(first)]);
    await holder.close();
    holder = opened();
    expect((await holder.find()).map(({ hostPort }) => hostPort)).toEqual([first]);
    expect(pids).toHaveLength(1);
  },
  30_000 * patience,
);

test(
  'however many connections are relayed, ports can still be held',
  async () => {
    const [first, second] = await freePorts();
    const server = createServer();
    const target = await listenAnywhere(server);
    const program = join(import.meta.dir, 'serve-ports.ts');
    const path = join(directory, 'ports.sock');
    const limited = Bun.spawn([
      'sh',
      '-c',
      'ulimit -n 256 && exec "$@"',
      'sh',
      process.execPath,
      program,
      path,
    ]);
    pids.push(limited.pid);
    const clients: Socket[] = [];
    try {
      while (!existsSync(path)) await Bun.sleep(5);
      await holder.find();
      await holder.hold([{ ...holding(first), containerPort: target }]);
      for (let at = 0; at < 300; at++) clients.push(await connected(first));
      await holder.hold([holding(second)]);
      expect(pids).toEqual([limited.pid]);
    } finally {
      for (const client of clients) client.destroy();
      server.close();
    }
  },
  30_000 * patience,
);

/** Perhaps cut off at once. */
async function connected(port: number): Promise<Socket> {
  const client = connect({ host: '127.0.0.1', port });
  await new Promise<void>((done) => {
    client.once('connect', done);
    client.on('error', () => done());
  });
  return client;
}
