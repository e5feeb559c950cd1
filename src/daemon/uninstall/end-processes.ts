import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError } from '../../errors/engine-error.ts';
import { isDaemon } from '../pid-file.ts';

const END_MS = 30_000;
/** For one that has not answered either. */
const SILENT_MS = 3000;
const LOOK_MS = 50;
/** Monitors, OCI runtimes, and helpers that are programs of ours. */
const OWN_PROGRAMS = /(?:^|\/)(?:conmon|crun|runc)$/;
const OWN_SCRIPTS = /\/src\/(?:network|daemon|containers|snapshots|builder|images)\/.*\.ts$/;

/** SIGTERM, then, for one that hangs, SIGKILL. @throws EngineError "internal" when it is still there. */
export async function endDaemon(pid: number, { answers }: { answers: boolean }): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    // systemd may have ended it, and another have its pid.
    if (!isDaemon(pid) || !kill(pid, signal)) return;
    if (await gone(() => isAlive(pid), signal === 'SIGTERM' && !answers ? SILENT_MS : END_MS)) return;
  }
  throw new EngineError('internal', `The daemon, process ${pid}, does not end`);
}

/** End what a daemon leaves running in its mount namespace. @returns processes there that are not the engine's. */
export async function endHelpers(execRoot: string): Promise<string[]> {
  const inside = () => processesIn(namespaceOf(execRoot));
  for (const { pid } of inside().filter(isOwn)) kill(pid, 'SIGKILL');
  await gone(() => inside().some(isOwn));
  return inside().map(({ pid, words }) => `${pid} (${words.join(' ').slice(0, 60)})`);
}

interface Process {
  pid: number;
  words: string[];
}

function isOwn({ words: [program = '', ...words] }: Process): boolean {
  return OWN_PROGRAMS.test(program) || words.some((word) => OWN_SCRIPTS.test(word));
}

/** The inode of the pinned namespace, which is on record with the boot's id; undefined: there is none. */
function namespaceOf(execRoot: string): number | undefined {
  try {
    const record = readFileSync(join(execRoot, 'mount-namespace/id'), 'utf8').trim();
    const [boot, inode] = record.split(' ');
    const isOfThisBoot = boot === readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return isOfThisBoot ? Number(inode) : undefined;
  } catch {
    return undefined;
  }
}

function processesIn(namespace: number | undefined): Process[] {
  if (namespace === undefined) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        if (statSync(`/proc/${name}/ns/mnt`).ino !== namespace) return [];
        const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0').slice(0, -1);
        // A process that has ended and waits to be reaped has no words.
        return words.length === 0 ? [] : [{ pid: Number(name), words }];
      } catch {
        return [];
      }
    });
}

async function gone(isThere: () => boolean, withinMs = END_MS): Promise<boolean> {
  for (const endMs = performance.now() + withinMs; performance.now() < endMs; ) {
    if (!isThere()) return true;
    await sleep(LOOK_MS);
  }
  return !isThere();
}

/** A zombie is dead. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

function kill(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
