import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryBlobBackend } from '../../../src/registry/server/memory-blob-backend.ts';
import { publishImage } from '../../../src/registry/server/publish-image.ts';
import { createRegistryHandler } from '../../../src/registry/server/registry-handler.ts';
import { type RunningRegistry, serveRegistry } from '../../../src/registry/server/serve-registry.ts';
import { must } from '../../support/engine/command.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';
import { makeImage, makeLayer } from '../../support/images/image-maker.ts';
import { file, makeTar } from '../../support/images/tar-maker.ts';

// Loopback is never verified: the registry has another address.
const ADDRESS = '10.77.0.1';
const image = makeImage([makeLayer(makeTar([file('a', 'a')]))]);
let engine: TestDaemon;
let registry: RunningRegistry;
let folder: string;
let name: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sampan-tls-verify-'));
  await must(['ip', 'link', 'set', 'lo', 'up']);
  await must(['ip', 'address', 'add', `${ADDRESS}/32`, 'dev', 'lo']);
  const [cert, key] = [join(folder, 'cert'), join(folder, 'key')];
  await must(
    `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=r -addext subjectAltName=IP:${ADDRESS} -keyout ${key} -out ${cert}`.split(
      ' ',
    ),
  );
  const backend = new MemoryBlobBackend();
  await publishImage(backend, {
    repository: 'team/app',
    tag: '1',
    manifest: { mediaType: image.descriptor.mediaType, bytes: image.bytes },
    blobs: image.blobs.map(({ descriptor, bytes }) => ({
      digest: descriptor.digest,
      open: () => new Blob([bytes.slice()]).stream(),
    })),
  });
  registry = serveRegistry(createRegistryHandler(backend), {
    hostname: ADDRESS,
    tls: { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') },
  });
  name = `${ADDRESS}:${registry.port}/team/app`;
  engine = await startDaemon();
});
afterAll(async () => {
  await engine?.close();
  await registry?.close();
  rmSync(folder, { recursive: true, force: true });
});

const sampan = (...args: string[]) => engine.run(args, { client: 'sampan' });

/** Each command alone: what one was allowed, the next is not. */
test('--tls-verify=false holds for one command and its registry, and is remembered by none', async () => {
  const commands = [
    ['search', '--list-tags', name],
    ['search', `${ADDRESS}:${registry.port}/app`],
    ['login', '-u', 'u', '-p', 'p', `${ADDRESS}:${registry.port}`],
    ['image', 'copy', `${name}:1`, `${name}-copy:1`],
    ['pull', `${name}:1`],
    ['push', `${name}:1`],
  ];
  for (const [verb = '', ...rest] of commands) {
    const flag =
      verb === 'image'
        ? ['image', 'copy', '--tls-verify=false', ...rest.slice(1)]
        : [verb, '--tls-verify=false', ...rest];
    const refused = async () => {
      const { code, stderr } = await sampan(verb, ...rest);
      expect([verb, code]).toEqual([verb, 1]);
      expect(stderr).toMatch(/x509: certificate signed by unknown authority|self.signed/);
    };
    if (verb !== 'push') await refused();
    const { code, stderr } = await sampan(...flag);
    expect([verb, code === 0 ? '' : stderr]).toEqual([verb, '']);
    await refused();
  }
});

test('an empty tlsVerify is none', async () => {
  const { body } = await engine.api('GET', `/images/search?listTags=1&tlsVerify=&term=${name}`);
  expect(body).toContain('x509');
  const { status } = await engine.api('GET', `/images/search?listTags=1&tlsVerify=false&term=${name}`);
  expect(status).toBe(200);
});
