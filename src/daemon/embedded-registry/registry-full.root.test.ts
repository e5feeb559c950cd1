import { afterAll, beforeAll, expect, test } from 'bun:test';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../../../test/support/engine/command.ts';
import { putImage } from '../../../test/support/registry/put-image.ts';
import { silentLogger } from '../../errors/logger.ts';
import { OwnBlobCollector } from '../../registry/server/blob-collector.ts';
import { MemoryBlobBackend } from '../../registry/server/memory-blob-backend.ts';
import { createRegistryHandler } from '../../registry/server/registry-handler.ts';
import { type RunningRegistry, serveRegistry } from '../../registry/server/serve-registry.ts';
import { plainConfig } from '../../registry/testing/contract.ts';
import { blobOf, digestOf, patterned, sampleImage } from '../../registry/testing/sample-image.ts';
import { type LockedRegistryRoot, openRegistryRoot } from './registry-root.ts';
import { startRegistry } from './start-registry.ts';
import { parseUpstream } from './upstream-address.ts';

// The file runs in namespaces of its own.
let mount: string;
let upstream: RunningRegistry;
let root: LockedRegistryRoot;
let registry: RunningRegistry;

beforeAll(async () => {
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  mount = mkdtempSync(join(tmpdir(), 'registry-full-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', mount]);
  upstream = serveRegistry(createRegistryHandler(new MemoryBlobBackend()));
  root = await openRegistryRoot(join(mount, 'registry'));
  const keeper = new OwnBlobCollector(root.content, () => root.pushed.digests().union(root.cached.digests()));
  const proxy = { upstream: parseUpstream(upstream.url), maxBytes: 1 << 30, freshMs: 60_000 };
  registry = await startRegistry(
    { host: '127.0.0.1', port: 0, writable: true, proxy },
    { root, keeper, client: plainConfig, logger: silentLogger },
  );
});
afterAll(async () => {
  await registry?.close();
  await upstream?.close();
  root?.release();
  execFileSync('umount', [mount]);
  rmSync(mount, { recursive: true });
});

const left = () => ({
  blobs: readdirSync(join(root.path, 'content/blobs/sha256')).length,
  ingests: readdirSync(join(root.path, 'content/ingest')).length,
});
const freeBytes = () => {
  const { bfree, bsize } = statfsSync(mount);
  return bfree * bsize;
};

test('a push that does not fit is one clear error, leaves nothing, and the next one works', async () => {
  const large = blobOf(patterned(12_000_000));
  const response = await fetch(`${registry.url}/v2/app/blobs/uploads/?digest=${large.digest}`, {
    method: 'POST',
    body: large.bytes,
  });
  expect([response.status, await response.json()]).toEqual([
    507,
    { errors: [{ code: 'UNAVAILABLE', message: 'no space left on the registry' }] },
  ]);
  expect(left()).toEqual({ blobs: 0, ingests: 0 });
  expect(freeBytes()).toBeGreaterThan(7_000_000);
  await putImage(registry.url, { repository: 'app', tag: 'v1' }, sampleImage(['fits']));
  expect((await fetch(`${registry.url}/v2/app/manifests/v1`)).status).toBe(200);
});

test('a fetch that does not fit breaks off, leaves nothing, and the next one works', async () => {
  const [large, small] = [sampleImage([patterned(12_000_000, 2)]), sampleImage([patterned(100_000, 3)])];
  await putImage(upstream.url, { repository: 'big', tag: 'v1' }, large);
  await putImage(upstream.url, { repository: 'small', tag: 'v1' }, small);
  const before = left();
  await (await fetch(`${registry.url}/v2/big/manifests/v1`)).bytes();
  const broken = await fetch(`${registry.url}/v2/big/blobs/${large.layers[0]?.digest}`);
  const outcome = await broken.bytes().then(
    () => 'whole',
    () => 'broken',
  );
  expect(outcome).toBe('broken');
  // The connection breaks before the file is let go.
  await eventually(() => freeBytes() > 7_000_000, { what: () => 'the space to be free again' });
  // The manifest is here.
  expect(left()).toEqual({ blobs: before.blobs + 1, ingests: 0 });
  await (await fetch(`${registry.url}/v2/small/manifests/v1`)).bytes();
  const whole = await fetch(`${registry.url}/v2/small/blobs/${small.layers[0]?.digest}`);
  expect(digestOf(await whole.bytes())).toBe(small.layers[0]?.digest ?? digestOf(new Uint8Array()));
});
