import { appendFileSync, chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must } from './command.ts';
import { TestDaemon, type TestDaemonOptions } from './test-daemon.ts';

/** An /etc of this file's own (its mount namespace has nobody else), whose user `remapped` has these ids to give. */
export interface OwnEtc {
  close(): Promise<void>;
}

export const HOST_UID = 231_072;
export const HOST_GID = 331_072;

export async function ownEtc(): Promise<OwnEtc> {
  const copy = mkdtempSync(join(tmpdir(), 'etc-'));
  await must(['cp', '-a', '/etc/.', copy]);
  for (const [file, line] of [
    ['passwd', 'remapped:x:4242:4343::/:/bin/false'],
    ['group', 'remapped:x:4343:'],
    ['subuid', `remapped:${HOST_UID}:65536`],
    // A range that is cut in two is one map.
    ['subgid', `remapped:${HOST_GID}:1000\nremapped:${HOST_GID + 5000}:64536`],
  ] as const)
    appendFileSync(join(copy, file), `${line}\n`);
  await must(['mount', '--bind', copy, '/etc']);
  return {
    close: async () => {
      await must(['umount', '/etc']);
      rmSync(copy, { recursive: true, force: true });
    },
  };
}

/** A daemon whose containers have those ids, and may get to their roots. */
export function remappedDaemon(options: TestDaemonOptions = {}): TestDaemon {
  const engine = new TestDaemon({ ...options, config: { 'userns-remap': 'remapped', ...options.config } });
  engine.configure({});
  chmodSync(engine.root, 0o711);
  return engine;
}
