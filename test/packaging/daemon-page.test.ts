import { expect, test } from 'bun:test';
import { join } from 'node:path';
import { daemonPage } from '../../scripts/daemon-doc.ts';

test('docs/daemon.md says what the daemon does: else run `bun scripts/daemon-doc.ts`', async () => {
  expect(await Bun.file(join(import.meta.dir, '../../docs/daemon.md')).text()).toBe(daemonPage());
});
