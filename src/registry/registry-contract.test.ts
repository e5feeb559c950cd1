import { afterAll, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryBlobBackend } from './server/memory-blob-backend.ts';
import { createRegistryHandler } from './server/registry-handler.ts';
import { serveRegistry } from './server/serve-registry.ts';
import { StoreBlobBackend } from './server/store-blob-backend.ts';
import { describeRegistryContract } from './testing/contract.ts';
import { MemoryBlobStore } from './testing/memory-blob-store.ts';
import { hasDockerRegistry, startDockerRegistry } from './testing/running-registry.ts';

const directory = mkdtempSync(join(tmpdir(), 'sampan-registry-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describeRegistryContract('embedded, in memory', async () =>
  serveRegistry(createRegistryHandler(new MemoryBlobBackend())),
);
describeRegistryContract('embedded, on a store', async () =>
  serveRegistry(createRegistryHandler(new StoreBlobBackend(new MemoryBlobStore(), directory))),
);

if (hasDockerRegistry()) describeRegistryContract('docker-registry', startDockerRegistry);
else {
  const required = process.env['SAMPAN_REQUIRE_ROOT'] === '1';
  const name =
    'SKIPPED: the contract on docker-registry: /usr/bin/docker-registry is missing (apt install docker-registry)';
  if (required)
    test(name, () => {
      throw new Error(name);
    });
  else test.skip(name, () => undefined);
}
