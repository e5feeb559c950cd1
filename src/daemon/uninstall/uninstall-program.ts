import { existsSync, readFileSync, realpathSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { UNINSTALL_FLAGS } from '../../cli/commands/system/uninstall-flags.ts';
import { parseFlags } from '../../cli/flags/flag-set.ts';
import { flagUsages } from '../../cli/flags/flag-usages.ts';
import { EngineError, errnoCodeOf, kindOf, messageOf } from '../../errors/engine-error.ts';
import { type FileLock, lockFile } from '../../storage/file-lock.ts';
import { removeMountNamespace } from '../../sys/mount-namespace.ts';
import { run } from '../../sys/spawn.ts';
import { daemonFlags } from '../daemon-settings.ts';
import { endDaemon, endHelpers } from './end-processes.ts';
import { type RootKind, removeRoot } from './engine-roots.ts';
import { findInstallation, type Installation } from './installation.ts';
import { removeNetwork } from './remove-network.ts';
import { daemonClient, endTasks, runningContainers, stopContainers } from './stop-containers.ts';
import { removeUnits } from './units.ts';

const OWN = ['force', 'keep-data'];
/** What set-up installs that a machine may have been without. */
const PACKAGES = ['crun', 'conmon', 'nftables', 'tini', 'busybox-static'];
const FAILED = 1;
const LOCK_TRIES = 50;
const LOCK_PAUSE_MS = 100;
/** crun makes it whenever it is called; others' containers lie in it, if any. */
const CRUN_FOLDER = '/run/crun';

interface Choice {
  keepData: boolean;
}

/**
 * `sampand uninstall [-f] [--keep-data] [the daemon's own flags]`: everything of one engine, and nothing else, is taken off this machine. What was done
 * already is passed over, so that one that was interrupted can be run again.
 *
 * @returns the exit status.
 * @throws EngineError "forbidden" without root; "conflict" when a root is not an engine's: nothing has been touched then.
 */
export async function runUninstall(args: readonly string[]): Promise<number> {
  const ours = UNINSTALL_FLAGS.filter(({ name }) => OWN.includes(name));
  const flags = parseFlags([...ours, ...daemonFlags], args, { interspersed: true });
  if (flags.bool('help')) {
    write(`\nUsage:  sampand uninstall [OPTIONS]\n\nOptions:\n${flagUsages(UNINSTALL_FLAGS, 100)}`);
    return 0;
  }
  if (process.geteuid?.() !== 0)
    throw new EngineError('forbidden', 'Only root may do that', { hint: 'sudo sampan uninstall' });
  const choice = { keepData: flags.bool('keep-data') };
  const daemons = args.filter((arg) => !/^(?:-f|--force|--keep-data)(?:=.*)?$/.test(arg));
  const found = findInstallation(daemons, choice);
  if (isEmpty(found)) {
    write('Nothing of this engine is on this machine.\n');
    return 0;
  }
  const client = await daemonClient(found);
  const running = client === undefined ? [] : await runningContainers(client);
  write(planText(found, choice, running.length));
  if (!flags.bool('force') && !(await isConfirmed())) return 0;
  if (client !== undefined && running.length > 0) {
    const left = await stopContainers(client, running);
    write(`Stopped ${containers(running.length - left)}\n`);
  }
  return await takeAway(found, { ...choice, answers: client !== undefined });
}

function containers(count: number): string {
  return `${count} running container${count === 1 ? '' : 's'}`;
}

function isEmpty({ pid, hasDataRoot, hasExecRoot, units, files }: Installation): boolean {
  return pid === undefined && !hasDataRoot && !hasExecRoot && units.length === 0 && files.length === 0;
}

function planText(found: Installation, { keepData }: Choice, running: number): string {
  const { settings, pid, units, files, hasDataRoot, hasExecRoot } = found;
  const lines = [
    ...(running > 0 ? [`${containers(running)}, stopped first`] : []),
    ...(pid === undefined ? [] : [`the daemon, process ${pid}`]),
    ...(units.length === 0 ? [] : [`systemd's units ${units.join(', ')}`]),
    ...(hasDataRoot && !keepData
      ? [`${settings.dataRoot}: all images, containers, volumes and build caches`]
      : []),
    ...(hasExecRoot ? [settings.execRoot] : []),
    ...files,
    'its bridges, firewall rules and cgroups',
  ];
  const kept = hasDataRoot && keepData ? `Kept is ${settings.dataRoot}.\n` : '';
  return `WARNING! This will remove:\n${lines.map((line) => `  - ${line}\n`).join('')}${kept}`;
}

async function isConfirmed(): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const ended = new Promise<string>((resolve) => terminal.once('close', () => resolve('')));
  const answer = await Promise.race([terminal.question('Are you sure you want to continue? [y/N] '), ended]);
  terminal.close();
  return answer.trim().toLowerCase() === 'y';
}

/** Every step is tried, whatever became of those before. */
async function takeAway(
  found: Installation,
  { keepData, answers }: Choice & { answers: boolean },
): Promise<number> {
  const { settings, pid, units, files } = found;
  const [dataRoot, execRoot] = [settings.dataRoot, settings.execRoot].map(resolved) as [string, string];
  const problems: string[] = [];
  const attempt = async (what: string, work: () => Promise<void> | void): Promise<boolean> => {
    try {
      await work();
      return true;
    } catch (error) {
      problems.push(`Cannot ${what}: ${messageOf(error)}`);
      return false;
    }
  };
  await attempt("remove systemd's units", () => removeUnits(units));
  if (pid !== undefined) await attempt('end the daemon', () => endDaemon(pid, { answers }));
  const locks: FileLock[] = [];
  // Whoever holds them would go on writing into what is removed.
  const isFree = await attempt(
    'be sure that no daemon runs',
    async () => void locks.push(...(await lockRoots(found))),
  );
  if (!isFree) return tellEnd(problems);
  await attempt('end containers', () => endTasks(settings));
  await attempt('end helpers', async () => {
    const others = await endHelpers(execRoot);
    if (others.length > 0) write(`In the engine's mount namespace, and left alone: ${others.join(', ')}\n`);
  });
  await attempt('remove bridges and rules', () => removeNetwork(settings.dataRoot));
  await attempt('unmount the roots', () => removeMountNamespace({ dataRoot, execRoot }));
  const remove = (path: string, kind: RootKind) =>
    attempt(`remove ${path}`, () => {
      const left = removeRoot(path, kind);
      if (left.length > 0) write(`Left alone, since it isn't the engine's: ${left.join(', ')}\n`);
    });
  if (!keepData) await remove(dataRoot, 'data root');
  await remove(execRoot, 'exec root');
  for (const path of files)
    await attempt(`remove ${path}`, () => rmSync(path, { recursive: true, force: true }));
  await attempt(`remove ${CRUN_FOLDER}`, removeCrunFolder);
  for (const lock of locks) lock.release();
  await tellKept();
  return tellEnd(problems);
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

/** @throws EngineError "conflict" when another process has them, and doesn't end either. */
async function lockRoots({ settings, hasDataRoot, hasExecRoot }: Installation): Promise<FileLock[]> {
  const roots: [boolean, string, RootKind][] = [
    [hasDataRoot, settings.dataRoot, 'data root'],
    [hasExecRoot, settings.execRoot, 'exec root'],
  ];
  const locks: FileLock[] = [];
  for (const [isThere, path, kind] of roots) {
    const file = join(path, 'lock');
    if (isThere && existsSync(file)) locks.push(await lockInTime(file, `the ${kind}`));
  }
  return locks;
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

async function tellKept(): Promise<void> {
  const query = ['dpkg-query', '-W', '-f', '${Package} ${db:Status-Abbrev}\\n', ...PACKAGES];
  const listed = await run(query).catch(() => undefined);
  const kept = PACKAGES.filter((name) => new RegExp(`^${name} ii`, 'm').test(listed?.stdout ?? ''));
  if (readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').startsWith('1'))
    write('IPv4 packets are forwarded still: others may need that (sysctl net.ipv4.ip_forward)\n');
  if (kept.length > 0) write(`Packages that others may need stay: ${kept.join(', ')}\n`);
}

function tellEnd(problems: readonly string[]): number {
  if (problems.length === 0) {
    write('Removed\n');
    return 0;
  }
  process.stderr.write(`${problems.join('\n')}\nRun it again when that is mended.\n`);
  return FAILED;
}

function write(text: string): void {
  process.stdout.write(text);
}
