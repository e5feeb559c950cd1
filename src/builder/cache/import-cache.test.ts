import { expect, test } from 'bun:test';
import { hostPlatform } from '../../oci/platform.ts';
import type { BuildEvent } from '../build-progress.ts';
import { type ImportCachePorts, ImportedCache } from './import-cache.ts';

test('where a policy wants signatures, a cache from a registry is not let in, and is not asked for', async () => {
  const events: BuildEvent[] = [];
  const ports = {
    signaturePolicy: async () => ({ rules: new Map(), otherwise: { kind: 'reject' } }),
    get registry() {
      throw new Error('the registry was asked');
    },
  } as unknown as ImportCachePorts;
  const cache = await ImportedCache.open(
    [{ type: 'registry', attributes: { ref: 'registry.example.com/cache' } }],
    ports,
    {
      session: { credentials: async () => undefined } as never,
      platforms: [hostPlatform()],
      watch: (event) => void events.push(event),
      signal: new AbortController().signal,
    },
  );
  const warned = events.find((event) => event.type === 'warning');
  expect(warned?.warning.short).toBe(
    'failed to import the cache of registry.example.com/cache:latest: the signature policy lets no cache in from there',
  );
  expect(cache).toBeInstanceOf(ImportedCache);
});
