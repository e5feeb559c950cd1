import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { type TarSource, writeTar } from '../src/archive/tar-writer.ts';

/** What a registry stores of an image. */
export interface BenchImage {
  mediaType: string;
  manifest: Uint8Array<ArrayBuffer>;
  blobs: { digest: string; data: Uint8Array<ArrayBuffer> }[];
}

const OCI = 'application/vnd.oci.image';
const POOL_BYTES = 8 << 20;

/**
 * An image of many layers, the same bytes for the same options: sizes from hundreds of bytes to megabytes, half of the content
 * compressible; each layer above the first also replaces and deletes something of the one below. Another `revision` differs in the last
 * layer alone.
 */
export async function layeredImage(options: {
  layers: number;
  files: number;
  megabytes: number;
  revision?: number;
}): Promise<BenchImage> {
  const pool = contentPool();
  const share = {
    files: Math.ceil(options.files / options.layers),
    bytes: (options.megabytes * 1e6) / options.layers,
  };
  const seed = (layer: number) =>
    layer + 2 + (layer === options.layers - 1 ? 1000 * (options.revision ?? 0) : 0);
  const tars = Array.from({ length: options.layers }, (_, layer) =>
    packTar(layerMembers({ layer, pool, random: generator(seed(layer)), ...share })),
  );
  return packImage(tars, { Cmd: ['/bin/true'] });
}

/** The static busybox of this machine with the applets that the benches run. @throws Error when it isn't installed. */
export async function busyboxImage(): Promise<BenchImage> {
  const binary = busyboxBinary();
  const link = (path: string): TarSource => ({
    entry: { path, type: 'symlink', mode: 0o777, size: 0, linkTarget: 'busybox' },
  });
  const members = [
    ...['bin', 'dev', 'etc', 'proc', 'root', 'sys', 'tmp'].map(directory),
    file('bin/busybox', binary, 0o755),
    ...['sh', 'true', 'sleep', 'echo'].map((name) => link(`bin/${name}`)),
  ];
  return packImage([packTar(members)], { Cmd: ['/bin/sh'], Env: ['PATH=/bin'] });
}

/** A root file system of one small file, as a tar; another for each number. */
export function smallRoot(number: number): Promise<Uint8Array<ArrayBuffer>> {
  return packTar([file(`file-${number}`, new TextEncoder().encode(String(number)), 0o644)]);
}

export function busyboxBinary(): Uint8Array<ArrayBuffer> {
  for (const path of ['/usr/bin/busybox', '/bin/busybox']) {
    try {
      return new Uint8Array(readFileSync(path));
    } catch {
      // The other place.
    }
  }
  throw new Error('Cannot find the static busybox. Install the package busybox-static.');
}

interface LayerPlan {
  layer: number;
  files: number;
  bytes: number;
  pool: Uint8Array<ArrayBuffer>;
  random: () => number;
}

function* layerMembers({ layer, files, bytes, pool, random }: LayerPlan): Generator<TarSource> {
  const weights = Array.from({ length: files }, () => 2 ** (random() * 9));
  const scale = bytes / weights.reduce((sum, weight) => sum + weight, 0);
  const top = `layer${layer}`;
  yield directory(top);
  if (layer > 0) {
    yield file(`layer${layer - 1}/d0/f0`, pool.subarray(0, 1000), 0o644);
    yield file(`layer${layer - 1}/d0/.wh.f1`, pool.subarray(0, 0), 0o644);
  }
  for (const [index, weight] of weights.entries()) {
    const folder = `${top}/d${index >> 6}`;
    if ((index & 63) === 0) yield directory(folder);
    const size = Math.min(Math.ceil(weight * scale), POOL_BYTES);
    const start = Math.floor(random() * (POOL_BYTES - size));
    yield file(`${folder}/f${index}`, pool.subarray(start, start + size), index % 9 === 0 ? 0o755 : 0o644);
    if (index % 40 === 0) yield symlink(`${folder}/l${index}`, `f${index}`);
  }
}

/** Random bytes and words in turn, 4 KiB each. */
function contentPool(): Uint8Array<ArrayBuffer> {
  const random = generator(1);
  const pool = new Uint8Array(POOL_BYTES);
  const words = Buffer.from(
    'the quick brown fox jumps over the lazy dog while layers merge and mounts stack up; ',
  );
  for (let at = 0; at < POOL_BYTES; at++) {
    const isText = ((at >> 12) & 1) === 1;
    pool[at] = isText ? (words[Math.floor((at * 7 + (at >> 5)) % words.length)] ?? 0) : random() * 256;
  }
  return pool;
}

/** Park and Miller's generator: the same numbers everywhere. Each in [0, 1). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

function directory(path: string): TarSource {
  return { entry: { path, type: 'directory', mode: 0o755, size: 0 } };
}

function symlink(path: string, linkTarget: string): TarSource {
  return { entry: { path, type: 'symlink', mode: 0o777, size: 0, linkTarget } };
}

function file(path: string, data: Uint8Array, mode: number): TarSource {
  return { entry: { path, type: 'file', mode, size: data.length }, data: [data] };
}

async function packTar(members: Iterable<TarSource>): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeTar(members)) chunks.push(chunk);
  return new Uint8Array(Buffer.concat(chunks));
}

async function packImage(tars: Promise<Uint8Array<ArrayBuffer>>[], config: object): Promise<BenchImage> {
  const layers = await Promise.all(
    tars.map(async (packing) => {
      const tar = await packing;
      const data = new Uint8Array(await promisify(gzip)(tar, { level: 1 }));
      return { diffId: digestOf(tar), digest: digestOf(data), data };
    }),
  );
  const configData = json({
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config,
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map((_, index) => ({ created_by: `layer ${index}` })),
  });
  const configBlob = { digest: digestOf(configData), data: configData };
  const mediaType = `${OCI}.manifest.v1+json`;
  const manifest = json({
    schemaVersion: 2,
    mediaType,
    config: { mediaType: `${OCI}.config.v1+json`, digest: configBlob.digest, size: configData.length },
    layers: layers.map(({ digest, data }) => ({
      mediaType: `${OCI}.layer.v1.tar+gzip`,
      digest,
      size: data.length,
    })),
  });
  return { mediaType, manifest, blobs: [configBlob, ...layers] };
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function json(value: object): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
}
