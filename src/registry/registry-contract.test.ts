import { test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryBlobBackend, MemoryBlobStore } from './server/memory-blob-backend.ts';
import { createRegistryHandler } from './server/registry-handler.ts';
import { RepositoryIndex } from './server/repository-index.ts';
import { serveRegistry } from './server/serve-registry.ts';
import { describeRegistryContract } from './testing/contract.ts';
import { hasDockerRegistry, startDockerRegistry } from './testing/running-registry.ts';

describeRegistryContract('embedded, in memory', async () =>
  serveRegistry(createRegistryHandler(new MemoryBlobBackend())),
);
describeRegistryContract('embedded, with an index on disk', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sampan-registry-'));
  const registry = serveRegistry(
    createRegistryHandler(
      new MemoryBlobBackend(new MemoryBlobStore(), await RepositoryIndex.open(directory)),
    ),
  );
  const close = async () => {
    await registry.close();
    rmSync(directory, { recursive: true, force: true });
  };
  return { ...registry, close };
});

if (hasDockerRegistry()) describeRegistryContract('docker-registry', () => startDockerRegistry());
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
