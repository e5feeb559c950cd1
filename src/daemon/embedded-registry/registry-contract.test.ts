import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '../../errors/logger.ts';
import { OwnBlobCollector } from '../../registry/server/blob-collector.ts';
import { describeRegistryContract, plainConfig } from '../../registry/testing/contract.ts';
import { openRegistryRoot } from './registry-root.ts';
import { startRegistry } from './start-registry.ts';

describeRegistryContract('stand-alone, on a content store', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sampan-registry-'));
  const root = await openRegistryRoot(directory);
  const keeper = new OwnBlobCollector(root.content, () => root.pushed.digests());
  const running = await startRegistry(
    { host: '127.0.0.1', port: 0, writable: true },
    { root, keeper, client: plainConfig, logger: silentLogger },
  );
  const close = async () => {
    await running.close();
    root.release();
    rmSync(directory, { recursive: true, force: true });
  };
  return { ...running, close };
});
