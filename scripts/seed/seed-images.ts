import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { TarEntry } from '../../src/archive/entry.ts';
import { writeTar } from '../../src/archive/tar-writer.ts';
import { type Digest, parseDigest } from '../../src/oci/digest.ts';
import type { PublishedImage } from '../../src/registry/server/publish-image.ts';
import { greeting } from './greeting.ts';
import { helloProgram } from './hello-program.ts';

/** A node of a seed's root file system. */
export type SeedNode =
  | { path: string; type: 'directory'; mode: number }
  | { path: string; type: 'file'; mode: number; data: Uint8Array }
  | { path: string; type: 'symlink'; linkTarget: string };

export interface SeedImage {
  repository: string;
  platforms: { architecture: 'amd64' | 'arm64'; nodes: SeedNode[] }[];
  config: { Cmd: string[]; Env: string[] };
  createdBy: string;
}

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** One date for all, so that the same content has the same digest wherever it is made. */
const CREATED = '2026-01-01T00:00:00Z';
const OCI = 'application/vnd.oci.image';

/** `hello-world`: one static program that says what has happened. */
export function helloWorld(): SeedImage {
  const nodes = (architecture: 'x64' | 'arm64'): SeedNode[] => [
    { path: 'hello', type: 'file', mode: 0o755, data: helloProgram(architecture, greeting) },
  ];
  return {
    repository: 'library/hello-world',
    platforms: [
      { architecture: 'amd64', nodes: nodes('x64') },
      { architecture: 'arm64', nodes: nodes('arm64') },
    ],
    config: { Cmd: ['/hello'], Env: [PATH] },
    createdBy: 'COPY hello / # buildkit',
  };
}

/** `busybox` from the static binary of this machine's distribution. */
export function busybox(
  binary: Uint8Array,
  applets: readonly string[],
  architecture: 'amd64' | 'arm64',
): SeedImage {
  const directories = [
    'bin',
    'dev',
    'etc',
    'home',
    'proc',
    'root',
    'sys',
    'tmp',
    'usr',
    'usr/bin',
    'usr/sbin',
    'sbin',
    'var',
    'var/spool',
  ];
  const modes: Record<string, number> = { tmp: 0o1777, root: 0o700 };
  const links = applets.filter((path) => path !== 'bin/busybox');
  return {
    repository: 'library/busybox',
    platforms: [
      {
        architecture,
        nodes: [
          ...directories.map((path): SeedNode => ({ path, type: 'directory', mode: modes[path] ?? 0o755 })),
          { path: 'bin/busybox', type: 'file', mode: 0o755, data: binary },
          ...links.map((path): SeedNode => ({ path, type: 'symlink', linkTarget: '/bin/busybox' })),
          { path: 'etc/passwd', type: 'file', mode: 0o644, data: text(PASSWD) },
          {
            path: 'etc/group',
            type: 'file',
            mode: 0o644,
            data: text('root:x:0:\ndaemon:x:1:\nwww-data:x:33:\nnogroup:x:65534:\n'),
          },
          { path: 'etc/shadow', type: 'file', mode: 0o640, data: text('root:*:::::::\nnobody:*:::::::\n') },
          { path: 'etc/nsswitch.conf', type: 'file', mode: 0o644, data: text('hosts: files dns\n') },
        ],
      },
    ],
    config: { Cmd: ['sh'], Env: [PATH] },
    createdBy: 'ADD busybox.tar.gz / # buildkit',
  };
}

const PASSWD = [
  'root:x:0:0:root:/root:/bin/sh',
  'daemon:x:1:1:daemon:/usr/sbin:/bin/false',
  'www-data:x:33:33:www-data:/var/www:/bin/false',
  'nobody:x:65534:65534:nobody:/home:/bin/false',
  '',
].join('\n');

/** Everything a registry needs of a seed, the platform manifests first, the tagged index last. */
export async function packSeed(seed: SeedImage): Promise<PublishedImage[]> {
  const manifests = await Promise.all(seed.platforms.map((platform) => packPlatform(seed, platform)));
  const index = {
    schemaVersion: 2,
    mediaType: `${OCI}.index.v1+json`,
    manifests: manifests.map(({ bytes, architecture }) => ({
      ...describe(`${OCI}.manifest.v1+json`, bytes),
      platform: { architecture, os: 'linux' },
    })),
  };
  const tagged = { mediaType: index.mediaType, bytes: json(index) };
  return [
    ...manifests.map(({ bytes, blobs }) => ({
      repository: seed.repository,
      tag: undefined,
      manifest: { mediaType: `${OCI}.manifest.v1+json`, bytes },
      blobs: blobs.map((data) => ({ digest: digestOf(data), open: () => new Blob([data.slice()]).stream() })),
    })),
    { repository: seed.repository, tag: 'latest', manifest: tagged, blobs: [] },
  ];
}

async function packPlatform(
  seed: SeedImage,
  platform: SeedImage['platforms'][number],
): Promise<{ architecture: string; bytes: Uint8Array; blobs: Uint8Array[] }> {
  const tar = await packTar(platform.nodes);
  const layer = new Uint8Array(gzipSync(tar, { level: 9 }));
  const config = json({
    architecture: platform.architecture,
    os: 'linux',
    created: CREATED,
    config: { ...seed.config, WorkingDir: '/' },
    rootfs: { type: 'layers', diff_ids: [digestOf(tar)] },
    history: [
      { created: CREATED, created_by: seed.createdBy, comment: 'sampan seed' },
      {
        created: CREATED,
        created_by: `CMD ${JSON.stringify(seed.config.Cmd)}`,
        comment: 'sampan seed',
        empty_layer: true,
      },
    ],
  });
  const manifest = {
    schemaVersion: 2,
    mediaType: `${OCI}.manifest.v1+json`,
    config: describe(`${OCI}.config.v1+json`, config),
    layers: [describe(`${OCI}.layer.v1.tar+gzip`, layer)],
  };
  return { architecture: platform.architecture, bytes: json(manifest), blobs: [config, layer] };
}

async function packTar(nodes: readonly SeedNode[]): Promise<Uint8Array> {
  async function* entries() {
    for (const node of nodes) {
      const data = node.type === 'file' ? node.data : new Uint8Array(0);
      yield {
        entry: entryOf(node, data.length),
        ...(data.length === 0 ? {} : { data: new Blob([data.slice()]).stream() }),
      };
    }
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeTar(entries())) chunks.push(chunk.slice());
  return new Uint8Array(Buffer.concat(chunks));
}

function entryOf(node: SeedNode, size: number): TarEntry {
  return {
    path: node.path,
    type: node.type,
    mode: node.type === 'symlink' ? 0o777 : node.mode,
    uid: 0,
    gid: 0,
    mtimeSeconds: Date.parse(CREATED) / 1000,
    mtimeNanoseconds: 0,
    size,
    dataOffset: 0,
    linkTarget: node.type === 'symlink' ? node.linkTarget : '',
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: new Map(),
    sparse: undefined,
  };
}

function describe(mediaType: string, bytes: Uint8Array): { mediaType: string; digest: Digest; size: number } {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

function digestOf(bytes: Uint8Array): Digest {
  return parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
}

function json(value: object): Uint8Array {
  return text(JSON.stringify(value));
}

function text(content: string): Uint8Array {
  return new TextEncoder().encode(content);
}
