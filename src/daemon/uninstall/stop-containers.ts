import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bunTransport } from '../../cli/transport/bun-transport.ts';
import { parseEndpoint } from '../../client/endpoint.ts';
import { EngineClient } from '../../client/engine-client.ts';
import { TaskCgroup } from '../../runtime/cgroups/task-cgroup.ts';
import type { DaemonSettings } from '../daemon-settings.ts';
import { cgroupParentOf } from '../engine-suffix.ts';
import type { Installation } from './installation.ts';

const ANSWER_MS = 5000;
/** For containers whose daemon is gone, as Docker gives by default. */
const GRACE_MS = 10_000;
const LOOK_MS = 100;
const SIGTERM = 15;
const RUNNING = ['running', 'restarting', 'paused'];

/** A client of the daemon that runs; undefined: none answers. */
export async function daemonClient(
  { pid, socket }: Pick<Installation, 'pid' | 'socket'>,
  patienceMs = ANSWER_MS,
): Promise<EngineClient | undefined> {
  if (pid === undefined || socket === undefined) return undefined;
  const client = new EngineClient(bunTransport(parseEndpoint(`unix://${socket}`)), {
    userAgent: 'sampand-uninstall',
  });
  const answers = client.connection.ping().then(
    () => true,
    () => false,
  );
  return (await Promise.race([answers, sleep(patienceMs, false, { ref: false })])) ? client : undefined;
}

/** Ids of those that run. */
export async function runningContainers(client: EngineClient): Promise<string[]> {
  const all = await client.containers.list({ all: true, filters: { status: RUNNING } });
  return all.map(({ Id }) => Id);
}

/** Each by its own signal and in its own time, all at once. @returns how many would not. */
export async function stopContainers(client: EngineClient, ids: readonly string[]): Promise<number> {
  const stopped = await Promise.allSettled(ids.map((id) => client.containers.stop(id)));
  return stopped.filter(({ status }) => status === 'rejected').length;
}

/** Cgroups of this engine's containers. A parent that the configuration names may hold what others run. */
export function engineCgroups(settings: DaemonSettings): { tasks: TaskCgroup[]; parent: TaskCgroup } {
  const path = cgroupParentOf(settings);
  const parent = new TaskCgroup(path);
  if (settings.cgroupParent === undefined) return { tasks: [parent], parent };
  const ids = [join(settings.dataRoot, 'containers'), join(settings.execRoot, 'tasks')].flatMap(namesIn);
  return { tasks: [...new Set(ids)].map((id) => new TaskCgroup(`${path}/${id}`)), parent };
}

/** End what runs without a daemon: asked first, then killed. The cgroups go too. */
export async function endTasks(settings: DaemonSettings): Promise<void> {
  const { tasks, parent } = engineCgroups(settings);
  for (const task of tasks) task.thaw();
  const living = () => tasks.flatMap((task) => task.processes());
  for (const pid of living()) signal(pid);
  for (const endMs = performance.now() + GRACE_MS; living().length > 0 && performance.now() < endMs; )
    await sleep(LOOK_MS);
  for (const task of tasks) await task.remove();
  parent.removeIfEmpty();
}

function signal(pid: number): void {
  try {
    process.kill(pid, SIGTERM);
  } catch {
    // It has ended meanwhile.
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
