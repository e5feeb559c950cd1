import { MemoryBlobBackend } from './server/memory-blob-backend.ts';
import { createRegistryHandler } from './server/registry-handler.ts';
import { serveRegistry } from './server/serve-registry.ts';
import { describePushContract } from './testing/push-contract.ts';
import { hasDockerRegistry, startDockerRegistry } from './testing/running-registry.ts';

describePushContract('embedded, in memory', async () =>
  serveRegistry(createRegistryHandler(new MemoryBlobBackend())),
);
// Where it is missing, the registry contract says so aloud.
if (hasDockerRegistry()) describePushContract('docker-registry', () => startDockerRegistry());
