import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errnoCodeOf } from '../errors/engine-error.ts';

/** Where a hierarchy is seen. */
export interface CgroupMount {
  directory: string;
  /** The cgroup that is mounted there: `/`, but inside a container that has no cgroup namespace. */
  root: string;
}

/** One mounted hierarchy of version 1: `cpu,cpuacct` may share one. */
export interface CgroupHierarchy extends CgroupMount {
  controllers: readonly string[];
}

export interface CgroupHost {
  /** `hybrid`: controllers in version 1, and a unified hierarchy beside them. */
  layout: 'v1' | 'hybrid' | 'v2';
  version: '1' | '2';
  /** Version 1, named ones (`name=systemd`) included. */
  hierarchies: readonly CgroupHierarchy[];
  unified: CgroupMount | undefined;
  /** What can be limited, in either version: `memory`, `pids`, `cpu` … */
  controllers: ReadonlySet<string>;
}

/** What `info` tells of limits that this host can set. */
export interface CgroupFacts {
  memoryLimit: boolean;
  swapLimit: boolean;
  cpuCfs: boolean;
  cpuShares: boolean;
  cpuset: boolean;
  pidsLimit: boolean;
}

/** How this host groups processes, from the text of a mountinfo (default: ours). */
export function readCgroupHost(mountinfo = readFileSync('/proc/self/mountinfo', 'utf8')): CgroupHost {
  const hierarchies: CgroupHierarchy[] = [];
  let unified: CgroupMount | undefined;
  for (const line of mountinfo.split('\n')) {
    const fields = line.split(' ');
    const [type, , superOptions = ''] = fields.slice(fields.indexOf('-', 6) + 1);
    const [root = '', directory = ''] = fields.slice(3, 5);
    if (type === 'cgroup2') unified ??= { directory, root };
    if (type === 'cgroup') hierarchies.push({ directory, root, controllers: controllersOf(superOptions) });
  }
  const inV1 = hierarchies.flatMap(({ controllers }) => controllers.filter((name) => !name.includes('=')));
  const inV2 = unified === undefined ? [] : words(join(unified.directory, 'cgroup.controllers'));
  const layout = layoutOf(hierarchies.length > 0, unified !== undefined);
  return {
    layout,
    version: layout === 'v2' ? '2' : '1',
    hierarchies,
    unified,
    controllers: new Set([...inV1, ...inV2]),
  };
}

/** The folder of a cgroup that `/proc/<pid>/cgroup` names. */
export function cgroupFolder({ directory, root }: CgroupMount, path: string): string {
  const isBelow = root !== '/' && (path === root || path.startsWith(`${root}/`));
  return join(directory, isBelow ? path.slice(root.length) : path);
}

export function readCgroupFacts(host: CgroupHost): CgroupFacts {
  const { controllers } = host;
  const facts = {
    memoryLimit: controllers.has('memory'),
    cpuset: controllers.has('cpuset'),
    pidsLimit: controllers.has('pids'),
  };
  if (host.version === '2') {
    const cpu = controllers.has('cpu');
    return { ...facts, swapLimit: hasSwapLimitV2(host), cpuCfs: cpu, cpuShares: cpu };
  }
  const has = (controller: string, file: string): boolean => {
    const hierarchy = host.hierarchies.find((one) => one.controllers.includes(controller));
    return hierarchy !== undefined && existsSync(join(hierarchy.directory, file));
  };
  return {
    ...facts,
    swapLimit: has('memory', 'memory.memsw.limit_in_bytes'),
    cpuCfs: has('cpu', 'cpu.cfs_quota_us') && has('cpu', 'cpu.cfs_period_us'),
    cpuShares: has('cpu', 'cpu.shares'),
  };
}

/** What the host can't limit, in Docker's words. */
export function cgroupWarnings(facts: CgroupFacts): string[] {
  const wordings: [boolean, string][] = [
    [facts.memoryLimit, 'memory limit'],
    [facts.swapLimit, 'swap limit'],
    [facts.cpuCfs, 'cpu cfs quota'],
    [facts.cpuCfs, 'cpu cfs period'],
    [facts.cpuShares, 'cpu shares'],
    [facts.cpuset, 'cpuset'],
  ];
  return wordings.filter(([can]) => !can).map(([, what]) => `WARNING: No ${what} support`);
}

function layoutOf(hasV1: boolean, hasUnified: boolean): CgroupHost['layout'] {
  if (!hasV1) return 'v2';
  return hasUnified ? 'hybrid' : 'v1';
}

/** `rw,cpu,cpuacct` or `rw,xattr,name=systemd`. */
function controllersOf(superOptions: string): string[] {
  const others = new Set([
    'rw',
    'ro',
    'xattr',
    'noprefix',
    'clone_children',
    'cpuset_v2_mode',
    'favordynmods',
  ]);
  return superOptions
    .split(',')
    .filter((option) => !others.has(option) && !option.startsWith('release_agent='));
}

/** The root of the hierarchy has no limits, so look into a cgroup below it. */
function hasSwapLimitV2({ unified, controllers }: CgroupHost): boolean {
  if (unified === undefined || !controllers.has('memory')) return false;
  return readdirSync(unified.directory, { withFileTypes: true }).some(
    (entry) => entry.isDirectory() && existsSync(join(unified.directory, entry.name, 'memory.swap.max')),
  );
}

function words(path: string): string[] {
  try {
    return readFileSync(path, 'utf8')
      .split(/\s+/)
      .filter((word) => word !== '');
  } catch (error) {
    const code = errnoCodeOf(error);
    if (code === 'ENOENT' || code === 'ENODEV' || code === 'EOPNOTSUPP') return [];
    throw error;
  }
}
