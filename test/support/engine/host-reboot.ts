import { rmSync } from 'node:fs';
import { must, run } from './command.ts';
import { cgroupProcesses, daemonCgroups, mountsBelow, removeCgroup } from './host-traces.ts';
import type { TestDaemon } from './test-daemon.ts';

/**
 * What the machine's going down does to an engine: daemon and containers killed at once, everything unmounted, tmpfs, interfaces and rules
 * gone; only the data root is there. The next `start` is the boot.
 */
export async function loseHost(engine: TestDaemon): Promise<void> {
  const { pid } = engine;
  const mounts = mountsBelow(engine.root, pid);
  await engine.stop('SIGKILL');
  for (const cgroup of daemonCgroups(engine.dataRoot)) {
    for (const one of cgroupProcesses(cgroup)) if (one > 1) await run(['kill', '-9', String(one)]);
    await removeCgroup(cgroup);
  }
  for (const point of [...mounts, ...mountsBelow(engine.root)].reverse()) await run(['umount', '-l', point]);
  rmSync(engine.execRoot, { recursive: true, force: true });
  const links = await must(['ip', '-o', 'link']);
  for (const [, name = ''] of links.matchAll(/^\d+: ([^:@]+)/gm))
    if (name !== 'lo') await run(['ip', 'link', 'delete', name]);
  await run(['nft', 'flush', 'ruleset']);
}
