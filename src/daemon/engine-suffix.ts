import { createHash } from 'node:crypto';
import type { DaemonSettings } from './daemon-settings.ts';

/** Tells daemons on one machine apart by their data root. Interfaces, the nft table and the cgroup bear it. */
export function engineSuffix(dataRoot: string): string {
  return createHash('sha256').update(dataRoot).digest('hex').slice(0, 8);
}

/** Of all containers' cgroups. */
export function cgroupParentOf({
  cgroupParent,
  dataRoot,
}: Pick<DaemonSettings, 'cgroupParent' | 'dataRoot'>): string {
  return cgroupParent ?? `/sampan-${engineSuffix(dataRoot)}`;
}

/** Of family inet. */
export function nftTableOf(dataRoot: string): string {
  return `sampan_${engineSuffix(dataRoot)}`;
}
