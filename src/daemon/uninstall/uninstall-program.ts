import { createInterface } from 'node:readline/promises';
import { UNINSTALL_FLAGS } from '../../cli/commands/system/uninstall-flags.ts';
import { parseFlags } from '../../cli/flags/flag-set.ts';
import { flagUsages } from '../../cli/flags/flag-usages.ts';
import { EngineError } from '../../errors/engine-error.ts';
import { daemonFlags } from '../daemon-settings.ts';
import { findInstallation, type Installation } from './installation.ts';
import { daemonClient, runningContainers, stopContainers } from './stop-containers.ts';
import { takeAway } from './take-away.ts';
import { tellKept } from './tell-kept.ts';

const OWN = ['force', 'keep-data'];
const FAILED = 1;

interface Choice {
  keepData: boolean;
  /** Ask nothing. */
  force: boolean;
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
  const choice = { keepData: flags.bool('keep-data'), force: flags.bool('force') };
  const daemons = args.filter((arg) => !/^(?:-f|--force|--keep-data)(?:=.*)?$/.test(arg));
  const found = findInstallation(daemons, choice);
  if (!isEmpty(found)) return await uninstall(found, choice);
  write('Nothing of this engine is on this machine.\n');
  return 0;
}

async function uninstall(found: Installation, { keepData, force }: Choice): Promise<number> {
  const client = await daemonClient(found);
  const running = client === undefined ? [] : await runningContainers(client);
  write(planText(found, { keepData, running: running.length }));
  if (!force && !(await isConfirmed())) return 0;
  if (client !== undefined && running.length > 0) {
    const left = await stopContainers(client, running);
    write(`Stopped ${containers(running.length - left)}\n`);
  }
  const problems = await takeAway(found, { keepData, answers: client !== undefined, tell: write });
  if (problems.length > 0) {
    process.stderr.write(`${problems.join('\n')}\nRun it again when that is mended.\n`);
    return FAILED;
  }
  await tellKept(write);
  write('Removed\n');
  return 0;
}

function containers(count: number): string {
  return `${count} running container${count === 1 ? '' : 's'}`;
}

function isEmpty({ pid, hasDataRoot, hasExecRoot, units, files }: Installation): boolean {
  return pid === undefined && !hasDataRoot && !hasExecRoot && units.length === 0 && files.length === 0;
}

function planText(
  found: Installation,
  { keepData, running }: { keepData: boolean; running: number },
): string {
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

function write(text: string): void {
  process.stdout.write(text);
}
