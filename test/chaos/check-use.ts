import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CheckContext } from './check-containers.ts';
import type { ExpectedContainer, ExpectedExec } from './model.ts';
import { copied, throwUnlessCopied } from './use-container.ts';

/** Of a container's inspection, what the use of it has to do with. */
export interface UsedContainer {
  State: { Pid: number; Health?: { Status: string } };
  HostConfig: { PidsLimit: number | null };
  RestartCount: number;
}

const PATIENCE_MS = 30_000;

/** Execs with their codes, limits, what was copied in and health: what a container that runs must show of all that was done to it. */
export async function useFault(
  container: ExpectedContainer,
  seen: UsedContainer,
  context: CheckContext,
): Promise<string | undefined> {
  return (
    limitFault(container, seen) ??
    (await healthFault(container, context)) ??
    (await copyFault(container, context)) ??
    (await execsFault(container, context))
  );
}

function limitFault({ pidsLimits }: ExpectedContainer, seen: UsedContainer): string | undefined {
  if (pidsLimits.size === 0) return undefined;
  const told = seen.HostConfig.PidsLimit ?? 0;
  const due = [...pidsLimits].join(' or ');
  if (!pidsLimits.has(told)) return `is limited to ${told} processes, where ${due} was due`;
  const held = pidsMax(seen.State.Pid);
  return told === 0 || held === String(told)
    ? undefined
    : `is told to be limited to ${told}, and is to ${held}`;
}

/** Of the cgroup, by v1 or v2. */
function pidsMax(pid: number): string {
  const text = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  const v1 = /^\d+:pids:(.*)$/m.exec(text)?.[1];
  const folder =
    v1 === undefined ? `/sys/fs/cgroup${/^0::(.*)$/m.exec(text)?.[1] ?? ''}` : `/sys/fs/cgroup/pids${v1}`;
  return readFileSync(join(folder, 'pids.max'), 'utf8').trim();
}

async function healthFault(
  { name, program, frozen }: ExpectedContainer,
  { api, tally }: CheckContext,
): Promise<string | undefined> {
  if (program.healthy !== true || frozen) return undefined;
  const deadline = performance.now() + PATIENCE_MS;
  let last = '';
  while (performance.now() < deadline) {
    const { State } = await api.json<UsedContainer>(`/containers/${name}/json`);
    last = State.Health?.Status ?? 'none';
    if (last === 'healthy') {
      tally.healthy++;
      return undefined;
    }
    await Bun.sleep(100);
  }
  return `is ${last} for ${PATIENCE_MS} ms, and not healthy`;
}

async function copyFault(container: ExpectedContainer, context: CheckContext): Promise<string | undefined> {
  if (container.copied === undefined) return undefined;
  const got = await copied(container, context);
  if (got === 'lost') throw new Error('The daemon is gone');
  try {
    throwUnlessCopied(got, container.copied);
    return undefined;
  } catch (error) {
    return String(error);
  }
}

async function execsFault(container: ExpectedContainer, context: CheckContext): Promise<string | undefined> {
  for (const exec of container.execs.splice(0)) {
    const wrong = await execFault(exec, container, context);
    if (wrong !== undefined) return `its exec ${exec.id.slice(0, 12)}: ${wrong}`;
  }
  return undefined;
}

async function execFault(
  { id, code, started }: ExpectedExec,
  { interrupted }: ExpectedContainer,
  { api, tally }: CheckContext,
): Promise<string | undefined> {
  const deadline = performance.now() + PATIENCE_MS;
  while (true) {
    const outcome = await api.call('GET', `/exec/${id}/json`);
    if (outcome.lost) throw new Error('The daemon is gone');
    if (outcome.status === 404) return started && !interrupted ? 'was started, and is forgotten' : undefined;
    const { Running, ExitCode } = JSON.parse(outcome.body) as { Running: boolean; ExitCode: number | null };
    if (!Running) {
      tally.execs++;
      const never = !started && ExitCode === null;
      return ExitCode === code || interrupted || never
        ? undefined
        : `ended with ${ExitCode} instead of ${code}`;
    }
    if (performance.now() > deadline) return 'does not end';
    await Bun.sleep(100);
  }
}

/** Volumes and built images are there or not, as they were left; files that were copied into volumes are whole. */
export async function checkKept({ api, model, tally }: CheckContext): Promise<void> {
  const { Volumes } = await api.json<{ Volumes: { Name: string; Mountpoint: string }[] | null }>('/volumes');
  const listed = new Map((Volumes ?? []).map(({ Name, Mountpoint }) => [Name, Mountpoint]));
  for (const [name, volume] of model.volumes) {
    const mountpoint = listed.get(name);
    const state = mountpoint === undefined ? 'absent' : 'present';
    if (!volume.possible.has(state)) tally.violations.push(`volume ${name} is ${state}`);
    model.volume(name, state, true);
    if (mountpoint === undefined) continue;
    for (const [file, text] of volume.files)
      if (readText(join(mountpoint, file)) !== text)
        tally.violations.push(`volume ${name}: ${file} is not whole`);
    tally.volumes++;
  }
  for (const name of listed.keys())
    if (!model.volumes.has(name) && !/^[0-9a-f]{64}$/.test(name))
      tally.violations.push(`volume ${name}: is there, and was never made`);
  for (const [name, possible] of model.builds) {
    const outcome = await api.call('GET', `/images/${name}/json`);
    const state = !outcome.lost && outcome.status === 200 ? 'present' : 'absent';
    if (!possible.has(state)) tally.violations.push(`built image ${name} is ${state}`);
    model.build(name, state, true);
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
