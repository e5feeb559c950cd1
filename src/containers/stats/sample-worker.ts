// Reads figures of containers for `StatsService`: hundreds of small files, which would hold up the main thread.
import { readCgroupHost } from '../../sys/cgroup.ts';
import { serveRequests } from '../../sys/request-thread.ts';
import type { ContainerSample } from './container-stats.ts';
import { SampleReader, type SampleTarget } from './read-sample.ts';

declare const self: Worker;

const reader = new SampleReader(readCgroupHost());

serveRequests(self, (targets: readonly SampleTarget[]): (ContainerSample | undefined)[] => {
  const machine = reader.machine();
  return targets.map((target) => reader.read(target, machine));
});
