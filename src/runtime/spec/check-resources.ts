import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { EngineError } from '../../errors/engine-error.ts';
import type { SpecResources } from './spec-input.ts';

const MIN_MEMORY = 6n << 20n;
const NANO = 1_000_000_000n;
const MAX_CPU_NUMBER = 65_536;

/**
 * Refuse limits that make no sense, in Docker's words. Meant for `create`, so that a container that can't start is never made. `update`: they
 * come on top of others.
 *
 * @throws EngineError "invalid"
 */
export function checkResources(resources: SpecResources, { update = false } = {}): void {
  checkMemory(resources, update);
  checkSwappiness(resources);
  checkCpu(resources);
  checkSet({ kind: 'cpus', what: 'CPUs', value: resources.cpusetCpus });
  checkSet({ kind: 'mems', what: 'memory nodes', value: resources.cpusetMems });
}

function checkMemory(resources: SpecResources, update: boolean): void {
  const { memoryBytes, memoryReservationBytes, memorySwapBytes } = resources;
  if (memoryBytes !== 0n && memoryBytes < MIN_MEMORY) throw invalid('Minimum memory limit allowed is 6MB');
  if (memoryBytes > 0n && memorySwapBytes > 0n && memorySwapBytes < memoryBytes) {
    throw invalid('Minimum memoryswap limit should be larger than memory limit, see usage');
  }
  if (memoryBytes === 0n && memorySwapBytes > 0n && !update) {
    throw invalid('You should always set the Memory limit when using Memoryswap limit, see usage');
  }
  if (memoryReservationBytes > 0n && memoryReservationBytes < MIN_MEMORY) {
    throw invalid('Minimum memory reservation allowed is 6MB');
  }
  if (memoryBytes > 0n && memoryReservationBytes > memoryBytes) {
    throw invalid('Minimum memory limit can not be less than memory reservation limit, see usage');
  }
}

function checkSwappiness({ memorySwappiness }: SpecResources): void {
  if (memorySwappiness < -1 || memorySwappiness > 100)
    throw invalid(`Invalid value: ${memorySwappiness}, valid memory swappiness range is 0-100`);
}

function checkCpu({ nanoCpus, cpuShares, cpuPeriodUs, cpuQuotaUs }: SpecResources): void {
  if (cpuShares < 0) throw invalid(`invalid CPU shares (${cpuShares}): value must be a positive integer`);
  const cpus = availableParallelism();
  if (nanoCpus < 0n || nanoCpus > BigInt(cpus) * NANO) {
    throw invalid(`range of CPUs is from 0.01 to ${cpus}.00, as there are only ${cpus} CPUs available`);
  }
  if (nanoCpus > 0n && cpuPeriodUs > 0) throw conflicting('CPU Period');
  if (nanoCpus > 0n && cpuQuotaUs > 0) throw conflicting('CPU Quota');
  if (cpuPeriodUs !== 0 && (cpuPeriodUs < 1000 || cpuPeriodUs > 1_000_000)) {
    throw invalid('CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)');
  }
  if (cpuQuotaUs > 0 && cpuQuotaUs < 1000) {
    throw invalid('CPU cfs quota can not be less than 1ms (i.e. 1000)');
  }
}

function checkSet(set: { kind: 'cpus' | 'mems'; what: string; value: string }): void {
  if (set.value === '') return;
  const wanted = parseSet(set.value);
  if (wanted === undefined) {
    throw invalid(`Invalid value ${set.value} for cpuset ${set.kind}: invalid format: ${set.value}`);
  }
  const available = availableSet(set.kind);
  const numbers = available === undefined ? undefined : parseSet(available);
  if (numbers !== undefined && [...wanted].some((number) => !numbers.has(number))) {
    throw invalid(
      `Requested ${set.what} are not available - requested ${set.value}, available: ${available}`,
    );
  }
}

/** `0-2,7`. Undefined: no such list. */
function parseSet(text: string): Set<number> | undefined {
  const numbers = new Set<number>();
  for (const part of text.split(',')) {
    const [first, last] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part)?.slice(1) ?? [];
    if (first === undefined) return undefined;
    const end = Number(last ?? first);
    if (end < Number(first) || end > MAX_CPU_NUMBER) return undefined;
    for (let number = Number(first); number <= end; number++) numbers.add(number);
  }
  return numbers;
}

function availableSet(kind: 'cpus' | 'mems'): string | undefined {
  for (const path of [
    `cpuset.${kind}.effective`,
    `cpuset/cpuset.effective_${kind}`,
    `cpuset/cpuset.${kind}`,
  ]) {
    try {
      const text = readFileSync(`/sys/fs/cgroup/${path}`, 'utf8').trim();
      if (text !== '') return text;
    } catch {
      // The other cgroup version, or no such controller.
    }
  }
  return undefined;
}

function conflicting(name: string): EngineError {
  return invalid(`Conflicting options: Nano CPUs and ${name} cannot both be set`);
}

function invalid(message: string): EngineError {
  return new EngineError('invalid', message);
}
