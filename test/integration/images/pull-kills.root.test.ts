import { afterEach, expect, test } from 'bun:test';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Digest, hexOf } from '../../../src/oci/digest.ts';
import { Random } from '../../chaos/random.ts';
import { eventually, must } from '../../support/engine/command.ts';
import { busyboxPath } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';
import { CountingRegistry, type Traffic } from '../../support/images/counting-registry.ts';
import { makeImage, makeLayer, noise, sha256 } from '../../support/images/image-maker.ts';
import { directory, file, makeTar, symlink } from '../../support/images/tar-maker.ts';

const SEED = 20_261_126;
/** What a layer under way holds in memory (`content/local-ingest`): a buffer being filled and one being written, of 1 MiB at most. */
const CHUNK_BYTES = 2 << 20;
/** On top of it what was sent and not read: a connection's sockets and the HTTP client's own buffer. */
const IN_FLIGHT_BYTES = 1 << 20;
/** Layers under way at once: dockerd's default. */
const AT_ONCE = 3;

const contents = [7, 3, 9, 1, 6, 5].map((megabytes, seed) => noise(megabytes << 20, seed + 1));
const layers = [
  makeLayer(
    makeTar([
      ...['bin', 'dev', 'etc', 'proc', 'sys', 'tmp'].map((path) => directory(path)),
      file('bin/busybox', readFileSync(busyboxPath()), 0o755),
      ...['sh', 'sha256sum'].map((name) => symlink(`bin/${name}`, 'busybox')),
    ]),
  ),
  ...contents.map((bytes, at) =>
    makeLayer(makeTar([directory('d'), file(`d/${at}`, bytes)]), (['gzip', 'zstd', 'none'] as const)[at % 3]),
  ),
];
const image = makeImage(layers);
const blobs = image.blobs.map(({ descriptor }) => descriptor);

const sum = (numbers: Iterable<number>): number => [...numbers].reduce((total, each) => total + each, 0);
const wholeBytes = sum(blobs.map(({ size }) => size));

let engine: TestDaemon | undefined;
let registry: CountingRegistry | undefined;
afterEach(async () => {
  await engine?.close();
  await registry?.stop();
});

/** A link of small windows, in this file's own network namespace: what was sent and not read yet is little. */
async function bringUpLoopback(): Promise<void> {
  await must(['ip', 'link', 'set', 'lo', 'up']);
  for (const name of ['tcp_rmem', 'tcp_wmem'])
    writeFileSync(`/proc/sys/net/ipv4/${name}`, '4096 32768 65536');
}

type BytesOnDisk = ReadonlyMap<Digest, number>;

/** Bytes of each blob that are on disk, whole or as the beginning that a later pull goes on from. */
function onDisk({ dataRoot }: TestDaemon): BytesOnDisk {
  const sizeOf = (folder: string, name: string) =>
    statSync(join(dataRoot, 'content', folder, name), { throwIfNoEntry: false })?.size;
  return new Map(
    blobs.map(({ digest }) => {
      const ingest = hexOf(sha256(new TextEncoder().encode(digest)));
      return [digest, sizeOf('blobs/sha256', hexOf(digest)) ?? sizeOf('ingest', ingest) ?? 0];
    }),
  );
}

/** That a pull asked for nothing that was here. */
function checkRequests({ requests }: Traffic, before: BytesOnDisk): void {
  for (const { digest, start } of requests) {
    expect(start, 'a download goes on where the disk stopped').toBe(before.get(digest) ?? -1);
    const { size } = blobs.find((blob) => blob.digest === digest) ?? { size: 0 };
    expect(start, 'what is here whole is not asked for').toBeLessThan(size);
  }
  expect(new Set(requests.map(({ digest }) => digest)).size, 'one request for each').toBe(requests.length);
}

/** Kill the daemon in a pull, the moment that `limit` bytes are sent. */
async function killedPull(
  daemon: TestDaemon,
  source: CountingRegistry,
  { limit, before }: { limit: number; before: BytesOnDisk },
): Promise<BytesOnDisk> {
  const reached = Promise.withResolvers<void>();
  const traffic = source.measure(limit, () => {
    process.kill(daemon.pid, 'SIGKILL');
    reached.resolve();
  });
  const pulled = daemon.run(['pull', '-q', 'app']);
  await Promise.race([reached.promise, pulled]);
  await daemon.stop('SIGKILL');
  expect((await pulled).code, 'the pull was cut short').not.toBe(0);
  checkRequests(traffic, before);
  const after = onDisk(daemon);
  const lost = sum(traffic.sent.values()) - (sum(after.values()) - sum(before.values()));
  expect(lost, `lost of ${limit} bytes`).toBeLessThanOrEqual(AT_ONCE * (CHUNK_BYTES + IN_FLIGHT_BYTES));
  return after;
}

test.each([
  ['erofs', 20],
  ['overlay', 6],
] as const)(
  '%s: %d kills in one pull: each next pull asks for what is missing and no more, and the image runs',
  async (driver, kills) => {
    await bringUpLoopback();
    const random = new Random(SEED);
    const source = (registry = new CountingRegistry());
    source.images.add({ repository: 'docker.io/library/app', tag: 'latest' }, image);
    const daemon = (engine = await startDaemon({ driver, mirrors: [source.url] }));

    let have = onDisk(daemon);
    for (let left = kills; left > 0; left--) {
      const missing = wholeBytes - sum(have.values());
      const limit = random.between(1, Math.min(missing, Math.ceil((2 * missing) / left)));
      have = await killedPull(daemon, source, { limit, before: have });
      await daemon.start();
      expect(onDisk(daemon), 'a start keeps what was begun').toEqual(have);
    }

    const traffic = source.measure();
    await daemon.pull('app');
    checkRequests(traffic, have);
    expect(sum(traffic.sent.values()), 'what is missing, no byte more').toBe(wholeBytes - sum(have.values()));
    const { mounts, files } = daemon.traces();
    expect([mounts.filter((point) => point.startsWith(daemon.dataRoot)), files]).toEqual([[], []]);
    const run = ['run', '--rm', '--network', 'none', 'app', 'sh', '-c', 'sha256sum /d/*'];
    expect((await daemon.out(run)).split('\n')).toEqual(
      contents.map((bytes, at) => `${hexOf(sha256(bytes))}  /d/${at}`),
    );

    // What a lease of a killed pull still held would stay.
    await daemon.out(['rmi', 'app']);
    const stored = () =>
      ['content/blobs/sha256', 'content/ingest'].flatMap((path) => readdirSync(join(daemon.dataRoot, path)));
    await eventually(() => stored().length === 0, { what: () => `nothing to be left: ${stored().join()}` });
  },
  180_000,
);
