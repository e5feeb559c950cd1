import { possibleBlockLimits } from './block-limits.ts';
import { containerCapabilities, hostCapabilities } from './capabilities.ts';
import type { HardwareOptions } from './hardware-options.ts';
import { limitHost, processOomScoreAdj, processRlimits } from './limits.ts';
import { containerResources, resourceHost } from './resources.ts';
import type { SpecHostOptions, SpecResources } from './spec-input.ts';

/**
 * What a start would say of these options, told before there is a container: limits that this host cannot give, in Docker's words where
 * it has some.
 *
 * @returns the warnings, and the resources without what they say is discarded.
 * @throws EngineError "invalid" for unknown capabilities and limits.
 */
export function checkHostOptions(
  host: Pick<
    SpecHostOptions,
    | 'privileged'
    | 'hardware'
    | 'capAdd'
    | 'capDrop'
    | 'ulimits'
    | 'oomScoreAdj'
    | 'oomKillDisable'
    | 'resources'
  >,
  cgroupVersion: '1' | '2',
): { warnings: string[]; resources: SpecResources; oomKillDisable: boolean; hardware?: HardwareOptions } {
  const available = hostCapabilities();
  containerCapabilities(host, available);
  const limits = limitHost(available);
  const own: string[] = [];
  processRlimits(host.ulimits, limits, own);
  processOomScoreAdj(host.oomScoreAdj, limits, own);
  const facts = resourceHost(cgroupVersion);
  const possible = host.hardware === undefined ? undefined : possibleBlockLimits(host.hardware, facts.block);
  // Of the devices themselves a start tells.
  const wish = { ...host.resources, oomKillDisable: host.oomKillDisable, rules: [] };
  const { warnings } = containerResources(wish, facts);
  const swapless = host.resources.memoryBytes > 0n && !facts.swapLimit;
  return {
    warnings: [...warnings, ...(possible?.warnings ?? []), ...own],
    resources: {
      ...host.resources,
      memorySwapBytes: swapless ? -1n : host.resources.memorySwapBytes,
      memorySwappiness: cgroupVersion === '1' ? host.resources.memorySwappiness : -1,
      blkioWeight: facts.blkioWeight ? host.resources.blkioWeight : 0,
    },
    oomKillDisable: host.oomKillDisable && cgroupVersion === '1',
    ...(possible === undefined ? {} : { hardware: possible.hardware }),
  };
}
