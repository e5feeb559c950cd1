import { EngineError } from '../../errors/engine-error.ts';
import { checkResources } from '../../runtime/spec/check-resources.ts';
import { type ResourceHost, updatedResources } from '../../runtime/spec/resources.ts';
import type { SpecResources } from '../../runtime/spec/spec-input.ts';
import type { HostOptions } from '../container.ts';
import { type PortChange, withPorts } from '../ports/change-ports.ts';
import type { ContainerRecord } from '../record/container-record.ts';

/** Of processes, where somebody has said so; where nobody has said a thing it is 0. */
const NO_LIMIT = -1;

/** What is to be another; a limit that is 0 or '' stays as it is. */
export interface ContainerChange {
  /** `pidsLimit` undefined: as it is; 0 or less: none. */
  resources: Omit<SpecResources, 'pidsLimit' | 'memorySwappiness'> & { pidsLimit: number | undefined };
  restartPolicy: HostOptions['restartPolicy'] | undefined;
  /** Undefined: as they are. */
  ports?: PortChange | undefined;
}

/**
 * What of a change this host can do, and what it says of the rest, in Docker's words.
 *
 * @throws EngineError "invalid" for limits that make no sense.
 */
export function checkChange(
  change: ContainerChange,
  host: ResourceHost,
): { change: ContainerChange; warnings: string[] } {
  const { resources } = change;
  const asked = { ...resources, pidsLimit: resources.pidsLimit ?? 0, memorySwappiness: -1 };
  checkResources(asked, { update: true });
  const { warnings } = updatedResources(asked, asked, host);
  const swapless = asked.memoryBytes > 0n && !host.swapLimit;
  const possible = {
    ...resources,
    memorySwapBytes: swapless ? -1n : resources.memorySwapBytes,
    blkioWeight: host.blkioWeight ? resources.blkioWeight : 0,
  };
  return { change: { ...change, resources: possible }, warnings };
}

/** The record with the change in it. @throws EngineError "conflict", in Docker's words, when what is set already speaks against it. */
export function changedRecord(record: ContainerRecord, change: ContainerChange): ContainerRecord {
  const { host } = record;
  const resources = changedResources(host.resources, change.resources);
  const restartPolicy = change.restartPolicy ?? host.restartPolicy;
  if (change.restartPolicy !== undefined && host.autoRemove && !['', 'no'].includes(restartPolicy.name))
    throw conflict('Restart policy cannot be updated because AutoRemove is enabled for the container');
  const changed = { ...record, host: { ...host, resources, restartPolicy } };
  return change.ports === undefined ? changed : withPorts(changed, change.ports);
}

function changedResources(set: SpecResources, change: ContainerChange['resources']): SpecResources {
  checkCpu(set, change);
  if (change.memoryBytes > set.memorySwapBytes && change.memorySwapBytes === 0n && change.memoryBytes !== 0n)
    throw conflict(
      'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time',
    );
  if ((change.memoryBytes || set.memoryBytes) === 0n && change.memorySwapBytes > 0n)
    throw new EngineError(
      'invalid',
      'You should always set the Memory limit when using Memoryswap limit, see usage',
    );
  return {
    memoryBytes: change.memoryBytes || set.memoryBytes,
    memoryReservationBytes: change.memoryReservationBytes || set.memoryReservationBytes,
    memorySwapBytes: change.memorySwapBytes || set.memorySwapBytes,
    cpuShares: change.cpuShares || set.cpuShares,
    nanoCpus: change.nanoCpus || set.nanoCpus,
    cpuPeriodUs: change.cpuPeriodUs || set.cpuPeriodUs,
    cpuQuotaUs: change.cpuQuotaUs || set.cpuQuotaUs,
    cpusetCpus: change.cpusetCpus || set.cpusetCpus,
    cpusetMems: change.cpusetMems || set.cpusetMems,
    blkioWeight: change.blkioWeight || set.blkioWeight,
    pidsLimit:
      change.pidsLimit === undefined ? set.pidsLimit : change.pidsLimit > 0 ? change.pidsLimit : NO_LIMIT,
    memorySwappiness: set.memorySwappiness,
  };
}

function checkCpu(set: SpecResources, change: ContainerChange['resources']): void {
  const already = (what: string, other: string) =>
    conflict(`Conflicting options: ${what} cannot be updated as ${other} has already been set`);
  if (change.nanoCpus > 0n && set.cpuPeriodUs > 0) throw already('Nano CPUs', 'CPU Period');
  if (change.nanoCpus > 0n && set.cpuQuotaUs > 0) throw already('Nano CPUs', 'CPU Quota');
  if (change.cpuPeriodUs > 0 && set.nanoCpus > 0n) throw already('CPU Period', 'NanoCPUs');
  if (change.cpuQuotaUs > 0 && set.nanoCpus > 0n) throw already('CPU Quota', 'NanoCPUs');
}

function conflict(message: string): EngineError {
  return new EngineError('conflict', message);
}
