import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { head, RawClient, UPGRADE } from '../../../src/server/testing/raw-client.ts';
import { eventually } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';
import { makeImage, makeLayer, noise } from '../../support/images/image-maker.ts';
import { file, makeTar } from '../../support/images/tar-maker.ts';

// Each stream has twins: one that reads, and one that does not, half-closes or vanishes.
const MANNERS = ['stops reading', 'half-closes', 'vanishes'] as const;
type Manner = (typeof MANNERS)[number];
const SPOKEN = 'x'.repeat(500);
const LOUD = `i=0; while :; do echo $i ${SPOKEN}; i=$((i+1)); done`;

let registry: SeedRegistry | undefined;
let engine: TestDaemon;
/** Sockets of the daemon while nobody is there. */
let idleSockets = 0;

beforeAll(async () => {
  registry = await startSeedRegistry();
  engine = await startDaemon({ mirrors: [registry.url] });
  await engine.pull('busybox');
  // Bun opens one inotify instance with the first watch, and keeps it.
  await engine.out(['run', '-d', '--name', 'first', 'busybox', 'true']);
  await engine.out(['logs', '-f', 'first']);
  await engine.removeContainers();
  await Bun.sleep(500);
  idleSockets = descriptors().length;
});
afterEach(async () => {
  await engine.removeContainers();
  // Connections, log files and watches of clients that are gone are gone as well.
  await eventually(() => descriptors().length <= idleSockets, {
    timeoutMs: 20_000,
    what: () => `the daemon to let go of ${descriptors().join(' ')}, ${idleSockets} when idle`,
  });
});
afterAll(async () => {
  await engine.close();
  await registry?.close();
});

/** What the daemon holds open: sockets, watches, pidfds and files of containers. */
function descriptors(): string[] {
  const folder = `/proc/${engine.pid}/fd`;
  return readdirSync(folder).flatMap((fd) => {
    try {
      const target = readlinkSync(`${folder}/${fd}`);
      return /^socket:|inotify|pidfd|^pipe:|\/containers\/|\(deleted\)/.test(target) ? [target] : [];
    } catch {
      return [];
    }
  });
}

function residentBytes(): number {
  const pages = readFileSync(`/proc/${engine.pid}/statm`, 'utf8').split(' ')[1];
  return Number(pages) * 4096;
}

async function connect(request: string): Promise<RawClient> {
  const client = await RawClient.connect(engine.socket);
  client.send(request);
  await client.until('\r\n\r\n');
  return client;
}

function behave(client: RawClient, manner: Manner): void {
  if (manner === 'stops reading') client.socket.pause();
  if (manner === 'half-closes') client.socket.end();
  if (manner === 'vanishes') client.socket.destroy();
}

async function runLoud(): Promise<void> {
  await engine.out(['run', '-d', '--name', 'loud', 'busybox', 'sh', '-c', LOUD]);
}

const grows = async (client: RawClient, bytes: number) => {
  const before = client.bytes.length;
  await eventually(() => client.bytes.length > before + bytes, { what: () => 'the other client to go on' });
};

test.each(MANNERS)('logs --follow: a client that %s, and the container is killed', async (manner) => {
  await runLoud();
  const path = '/containers/loud/logs?follow=1&stdout=1&stderr=1';
  const twin = await connect(head('GET', path));
  behave(twin, manner);
  const other = await connect(head('GET', `${path}&tail=0`, { Connection: 'close' }));
  const before = residentBytes();
  await grows(other, 1_000_000);
  await engine.out(['kill', 'loud']);
  await other.untilEnd();
  expect(residentBytes() - before).toBeLessThan(100 << 20);
  for (const { socket } of [twin, other]) socket.destroy();
});

test.each(MANNERS)('attach: a client that %s, and the container is killed', async (manner) => {
  await runLoud();
  const path = '/containers/loud/attach?stream=1&stdout=1&stderr=1&stdin=1';
  const other = await connect(head('POST', path, UPGRADE));
  const twin = await connect(head('POST', path, UPGRADE));
  const before = residentBytes();
  behave(twin, manner);
  // One that does not read holds the container up, as in Docker, until it is to end.
  if (manner !== 'stops reading') await grows(other, 1_000_000);
  else await Bun.sleep(500);
  await engine.out(['kill', 'loud'], { timeoutMs: 20_000 });
  await other.untilEnd();
  expect(residentBytes() - before).toBeLessThan(100 << 20);
  expect(await engine.out(['inspect', '-f', '{{.State.ExitCode}}', 'loud'])).toBe('137');
  for (const { socket } of [twin, other]) socket.destroy();
});

test.each(MANNERS)('wait: a client that %s, and the container is killed', async (manner) => {
  await engine.out(['run', '-d', '--name', 'quiet', 'busybox', 'sleep', '600']);
  const request = head('POST', '/containers/quiet/wait', { 'Content-Length': '0' });
  const twin = await connect(request);
  const other = await connect(request);
  behave(twin, manner);
  await engine.out(['kill', 'quiet']);
  await other.until('{"StatusCode":137}');
  for (const { socket } of [twin, other]) socket.destroy();
});

test.each(MANNERS)('events: a client that %s', async (manner) => {
  await engine.out(['create', '--name', 'n0', 'busybox', 'true']);
  const twin = await connect(head('GET', '/events'));
  const other = await connect(head('GET', '/events'));
  behave(twin, manner);
  const before = residentBytes();
  const RENAMES = 600;
  for (let count = 0; count < RENAMES; count++) {
    const path = `/containers/n${count}/rename?name=n${count + 1}`;
    expect((await engine.api('POST', path)).status).toBe(204);
  }
  await other.until(`"oldName":"/n${RENAMES - 1}"`);
  expect(other.text.match(/"Action":"rename"/g)?.length).toBe(RENAMES);
  expect(residentBytes() - before).toBeLessThan(100 << 20);
  for (const { socket } of [twin, other]) socket.destroy();
});

test('ten clients that stop reading a log of 50 MB cost next to no memory', async () => {
  const script = `yes ${SPOKEN} | head -c 50000000`;
  await engine.out(['run', '-d', '--name', 'long', 'busybox', 'sh', '-c', `${script} >&2`]);
  await engine.out(['wait', 'long']);
  const before = residentBytes();
  const clients: RawClient[] = [];
  for (let count = 0; count < 10; count++) {
    const client = await connect(head('GET', '/containers/long/logs?stdout=1&stderr=1'));
    client.socket.pause();
    clients.push(client);
  }
  await Bun.sleep(1000);
  expect(residentBytes() - before).toBeLessThan(60 << 20);
  expect((await engine.api('GET', '/_ping')).body).toBe('OK');
  for (const { socket } of clients) socket.destroy();
});

const LAYERS = 5;

/** An image of which one layer does not come. */
async function publishStalling(
  repository: string,
  stalled: number,
): Promise<{ others: string[]; stalled: string }> {
  const layers = Array.from({ length: LAYERS }, (_, index) =>
    makeLayer(makeTar([file(`${repository}-${index}`, noise(200_000, repository.length * 31 + index))])),
  );
  await registry?.publish({ repository: `library/${repository}`, tag: 'latest' }, makeImage(layers));
  const digests = layers.map(({ descriptor }) => descriptor.digest as string);
  const one = digests[stalled] ?? '';
  if (registry !== undefined)
    registry.fault = ({ path }) => (path.endsWith(one) ? { kind: 'stall', atByte: 1000 } : undefined);
  return { others: digests.filter((digest) => digest !== one), stalled: one };
}

function fetched(since: number): string[] {
  return (registry?.requests ?? [])
    .slice(since)
    .filter(({ method, path }) => method === 'GET' && path.includes('/blobs/'))
    .map(({ path }) => path.split('/').at(-1) ?? '');
}

const pullRequest = (image: string) =>
  head('POST', `/images/create?fromImage=${image}&tag=latest`, { 'Content-Length': '0' });

for (const [place, stalled] of [
  ['last', LAYERS - 1],
  ['first', 0],
] as const)
  test.each(['half-closes', 'vanishes'] as const)(
    `a pull whose ${place} layer stalls and whose client %s is aborted; the next one fetches only what is missing`,
    async (manner) => {
      const image = `twin-${place}-${manner}`;
      const digests = await publishStalling(image, stalled);
      const client = await connect(pullRequest(image));
      await eventually(() => client.text.split('"Download complete"').length > LAYERS - 1, {
        what: () => `the other layers to come: ${client.text.slice(-500)}`,
      });
      behave(client, manner);
      await eventually(() => descriptors().length <= idleSockets, {
        what: () => `the pull to let go of ${descriptors().join(' ')}`,
      });
      client.socket.destroy();
      expect((await engine.api('GET', `/images/${image}/json`)).status).toBe(404);
      if (registry !== undefined) registry.fault = () => undefined;
      const since = registry?.requests.length ?? 0;
      await engine.pull(image);
      expect(fetched(since)).toEqual([digests.stalled]);
      await engine.out(['rmi', image]);
    },
  );

test('a pull whose client stops reading goes on to its end, beside another of the same image', async () => {
  await publishStalling('twin-deaf', 2);
  if (registry !== undefined) registry.fault = () => undefined;
  const twin = await connect(pullRequest('twin-deaf'));
  behave(twin, 'stops reading');
  const other = await connect(pullRequest('twin-deaf'));
  await other.until('Status: ');
  expect(other.text).not.toContain('errorDetail');
  expect((await engine.api('GET', '/images/twin-deaf/json')).status).toBe(200);
  for (const { socket } of [twin, other]) socket.destroy();
  await engine.out(['rmi', 'twin-deaf']);
});
