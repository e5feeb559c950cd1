import { existsSync, realpathSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoCodeOf, kindOf, messageOf } from '../../errors/engine-error.ts';
import { type FileLock, lockFile } from '../../storage/file-lock.ts';
import { removeMountNamespace } from '../../sys/mount-namespace.ts';
import { endDaemon, endHelpers } from './end-processes.ts';
import { type RootKind, removeRoot } from './engine-roots.ts';
import type { Installation } from './installation.ts';
import { removeNetwork } from './remove-network.ts';
import { endTasks } from './stop-containers.ts';
import { removeUnits } from './units.ts';

export interface TakeAwayOptions {
  keepData: boolean;
  /** Whether the daemon has answered: then it is given time to end. */
  answers: boolean;
  /** What the user is to know beside. */
  tell: (text: string) => void;
}

/** @returns whether it went well. */
type Attempt = (what: string, work: () => Promise<void> | void) => Promise<boolean>;

const LOCK_TRIES = 50;
const LOCK_PAUSE_MS = 100;
/** crun makes it whenever it is called; others' containers lie in it, if any. */
const CRUN_FOLDER = '/run/crun';

/** End and remove all of an engine: every step is tried, whatever became of those before. @returns what could not be done. */
export async function takeAway(found: Installation, options: TakeAwayOptions): Promise<string[]> {
  const problems: string[] = [];
  const attempt: Attempt = async (what, work) => {
    try {
      await work();
      return true;
    } catch (error) {
      problems.push(`Cannot ${what}: ${messageOf(error)}`);
      return false;
    }
  };
  const { units, pid } = found;
  await attempt("remove systemd's units", () => removeUnits(units));
  if (pid !== undefined) await attempt('end the daemon', () => endDaemon(pid, options));
  const locks: FileLock[] = [];
  // Whoever holds them would go on writing into what is removed.
  const isFree = await attempt('be sure that no daemon runs', () => lockRoots(found, locks));
  if (isFree) await endAll(found, attempt, options);
  if (isFree) await removeAll(found, attempt, options);
  for (const lock of locks) lock.release();
  return problems;
}

/** What lives without the daemon. */
async function endAll(
  { settings }: Installation,
  attempt: Attempt,
  { tell }: TakeAwayOptions,
): Promise<void> {
  await attempt('end containers', () => endTasks(settings));
  await attempt('end helpers', async () => {
    const others = await endHelpers(settings.execRoot);
    if (others.length > 0) tell(`In the engine's mount namespace, and left alone: ${others.join(', ')}\n`);
  });
}

async function removeAll(
  { settings, files }: Installation,
  attempt: Attempt,
  { keepData, tell }: TakeAwayOptions,
): Promise<void> {
  const [dataRoot, execRoot] = [resolved(settings.dataRoot), resolved(settings.execRoot)];
  await attempt('remove bridges and rules', () => removeNetwork(settings.dataRoot, execRoot, tell));
  await attempt('unmount the roots', () => removeMountNamespace({ dataRoot, execRoot }));
  const remove = (path: string, kind: RootKind) =>
    attempt(`remove ${path}`, () => {
      const left = removeRoot(path, kind);
      if (left.length > 0) tell(`Left alone, since it isn't the engine's: ${left.join(', ')}\n`);
    });
  if (!keepData) await remove(dataRoot, 'data root');
  await remove(execRoot, 'exec root');
  for (const path of files)
    await attempt(`remove ${path}`, () => rmSync(path, { recursive: true, force: true }));
  await attempt(`remove ${CRUN_FOLDER}`, removeCrunFolder);
}

/** @throws EngineError "conflict" when another process has them, and doesn't end either. */
async function lockRoots(
  { settings, hasDataRoot, hasExecRoot }: Installation,
  locks: FileLock[],
): Promise<void> {
  const roots: [boolean, string, RootKind][] = [
    [hasDataRoot, settings.dataRoot, 'data root'],
    [hasExecRoot, settings.execRoot, 'exec root'],
  ];
  for (const [isThere, path, kind] of roots) {
    const file = join(path, 'lock');
    if (isThere && existsSync(file)) locks.push(await lockInTime(file, `the ${kind}`));
  }
}

/** A process that was killed is dead before all of its threads are, and with them its locks. */
async function lockInTime(file: string, what: string): Promise<FileLock> {
  for (let tries = 0; tries < LOCK_TRIES; tries++) {
    try {
      return lockFile(file, what);
    } catch (error) {
      if (kindOf(error) !== 'conflict') throw error;
      await sleep(LOCK_PAUSE_MS);
    }
  }
  return lockFile(file, what);
}

function removeCrunFolder(): void {
  try {
    rmdirSync(CRUN_FOLDER);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(errnoCodeOf(error) ?? '')) throw error;
  }
}

/** As mounts name it. */
function resolved(path: string): string {
  return existsSync(path) ? realpathSync(path) : path;
}
