import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { must } from '../support/engine/command.ts';
import { cgroupTree, daemonCgroups } from '../support/engine/host-traces.ts';
import type { TestDaemon } from '../support/engine/test-daemon.ts';
import { commandOf, pids } from './process-faults.ts';

/** Files that the engine keeps for itself, whatever it was asked. */
const OWN_FILES = /\/(state\.db[^/]*|lock)$/;

/** Everything on the host that an engine could leave, as seen from outside: `kind what` lines. */
export async function surveyHost(daemon: TestDaemon): Promise<Set<string>> {
  return new Set([
    ...mounts(daemon.root, daemon.dataRoot),
    ...files(daemon.dataRoot),
    ...files(daemon.execRoot),
    ...daemonCgroups(daemon.dataRoot)
      .flatMap(cgroupTree)
      .map((path) => `cgroup ${path}`),
    ...(await links()),
    ...(await rules()),
    ...processes(daemon),
    ...descriptors(daemon),
  ]);
}

/** What is there now, was not, and may not be; the background work of the engine has its time to end. */
export async function leftSince(
  before: ReadonlySet<string>,
  daemon: TestDaemon,
  isLeak: (item: string) => boolean = () => true,
): Promise<string[]> {
  const deadline = performance.now() + 15_000;
  while (true) {
    const left = [...(await surveyHost(daemon))].filter((item) => !before.has(item) && isLeak(item));
    if (left.length === 0 || performance.now() > deadline) return left;
    await Bun.sleep(250);
  }
}

const PAGE_BYTES = 4096;

export function residentBytes(pid: number): number {
  return Number(read(`/proc/${pid}/statm`).split(' ')[1]) * PAGE_BYTES;
}

/** In every mount namespace that some process is in. */
function mounts(...roots: string[]): string[] {
  const namespaces = new Map<string, number>();
  for (const pid of pids()) namespaces.set(linkOf(`/proc/${pid}/ns/mnt`) ?? '', pid);
  return [...namespaces.values()].flatMap((pid) =>
    read(`/proc/${pid}/mountinfo`)
      .split('\n')
      .map((line) => line.split(' ')[4] ?? '')
      .filter((point) => roots.some((root) => point.startsWith(root)))
      .map((point) => `mount ${point}`),
  );
}

function files(folder: string): string[] {
  return names(folder).flatMap((name) => {
    const path = join(folder, name);
    if (OWN_FILES.test(path)) return [];
    const below = isFolder(path) ? files(path) : [];
    return [`file ${path}`, ...below];
  });
}

async function links(): Promise<string[]> {
  const text = await must(['ip', '-o', 'link']);
  return [...text.matchAll(/^\d+: ([^:@]+)/gm)].map(([, name]) => `interface ${name}`);
}

async function rules(): Promise<string[]> {
  const lines = (await must(['nft', 'list', 'ruleset'])).split('\n').map((line) => line.trim());
  return lines.filter(Boolean).map((line) => `nft ${line}`);
}

/** All but this process and the daemon: zombies have no command and wait for the reaper alone. */
function processes(daemon: TestDaemon): string[] {
  return pids()
    .filter((pid) => pid !== process.pid && pid !== daemon.runningPid)
    .map((pid) => commandOf(pid).join(' '))
    .filter((command) => command !== '')
    .map((command) => `process ${command}`);
}

/** Of the daemon, counted by what they are, so that one more of a kind is a line more. */
function descriptors(daemon: TestDaemon): string[] {
  const pid = daemon.runningPid;
  if (pid === undefined) return [];
  const seen = new Map<string, number>();
  return names(`/proc/${pid}/fd`).flatMap((fd) => {
    const kind = linkOf(`/proc/${pid}/fd/${fd}`)?.replace(/\d+/g, 'N');
    if (kind === undefined) return [];
    const count = (seen.get(kind) ?? 0) + 1;
    seen.set(kind, count);
    return [`descriptor ${kind} (${count})`];
  });
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function isFolder(path: string): boolean {
  try {
    return lstatSync(path).isDirectory();
  } catch {
    return false;
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
