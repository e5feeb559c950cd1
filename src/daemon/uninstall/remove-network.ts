import { existsSync, readdirSync, rmSync } from 'node:fs';
import { kindOf } from '../../errors/engine-error.ts';
import { silentLogger } from '../../errors/logger.ts';
import { NftFirewall } from '../../network/firewall.ts';
import { Forwarding } from '../../network/forwarding/forwarding.ts';
import { hasBridgesOfOthers } from '../../network/host-bridges.ts';
import type { HostLink } from '../../network/host-network.ts';
import { WorkerHostNetwork } from '../../network/worker-host-network.ts';
import { lockFile } from '../../storage/file-lock.ts';
import { engineSuffix, nftTableOf } from '../engine-suffix.ts';
import { isDaemon } from '../pid-file.ts';

/** By it the engines of a machine take turns. */
const LOCK = '/run/sampan-network.lock';

/**
 * Rules and interfaces that bear the mark of the engine with this data root, and forwarding where it was turned on for it and nobody else's
 * bridge is here. The lock of all engines goes with the last of them.
 */
export async function removeNetwork(
  dataRoot: string,
  execRoot: string,
  tell: (text: string) => void,
): Promise<void> {
  const host = new WorkerHostNetwork();
  try {
    await host.exclusively(async () => {
      const forwarding = new Forwarding({ host, directory: execRoot, logger: silentLogger });
      // Others' packets may have to be forwarded: then it stays on, and so does what keeps the machine from being a router for everybody.
      if (hasBridgesOfOthers(await host.links(), engineSuffix(dataRoot))) await forwarding.prepare([]);
      else await forwarding.turnOff();
      const table = nftTableOf(dataRoot);
      const transit = forwarding.guard;
      await new NftFirewall(host).remove({ table, bridges: [], ports: [], shared: [], transit });
      if (transit.families.length > 0)
        tell(
          `Forwarding stays on for the bridges of others, and the nftables table inet ${table} keeps other packets from passing\n`,
        );
      const links = (await host.links()).filter((link) => isOf(link, engineSuffix(dataRoot)));
      for (const { name } of links) await host.removeLink(name);
    });
  } finally {
    await host.close();
  }
  if (!hasOtherEngine()) removeLock();
}

/** Bridges and what stands for networks have an alias; the host's ends of containers have a name. */
function isOf({ name, alias, kind }: HostLink, suffix: string): boolean {
  const mark = `sampan ${suffix}`;
  return (
    alias === mark ||
    alias.startsWith(`${mark} `) ||
    (kind === 'veth' && name.startsWith(`ve${suffix.slice(0, 5)}`))
  );
}

function hasOtherEngine(): boolean {
  return readdirSync('/proc').some(
    (name) => /^\d+$/.test(name) && Number(name) !== process.pid && isDaemon(Number(name)),
  );
}

/** Somebody who holds it has need of it. */
function removeLock(): void {
  if (!existsSync(LOCK)) return;
  try {
    const lock = lockFile(LOCK, 'the network set-up of this machine');
    rmSync(LOCK);
    lock.release();
  } catch (error) {
    if (kindOf(error) !== 'conflict') throw error;
  }
}
