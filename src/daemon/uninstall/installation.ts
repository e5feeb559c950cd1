import { existsSync, lstatSync } from 'node:fs';
import { dirname } from 'node:path';
import { EngineError } from '../../errors/engine-error.ts';
import { OWN_CONFIG } from '../config-file.ts';
import { type DaemonSettings, readSettings } from '../daemon-settings.ts';
import { daemonFlags, readDaemonPid } from '../pid-file.ts';
import { checkRoot } from './engine-roots.ts';
import { installedUnits } from './units.ts';

/** What of an engine is on this machine. */
export interface Installation {
  settings: DaemonSettings;
  /** Undefined: no daemon runs. */
  pid: number | undefined;
  /** Path of the API's socket; undefined: it has none here. */
  socket: string | undefined;
  hasDataRoot: boolean;
  hasExecRoot: boolean;
  /** Of systemd; names. */
  units: string[];
  /** Beside the roots: sockets, the pid's file, the log and the configuration of the machine's own engine. */
  files: string[];
}

const DEFAULT_DATA_ROOT = '/var/lib/sampan';
const DEFAULT_SOCKET = '/run/sampan.sock';
const LOG = '/var/log/sampan.log';

/**
 * Look for the engine of these flags of the daemon's; without any, for the machine's own. A daemon that runs tells the rest by its command line.
 *
 * @throws EngineError as `readSettings`; "invalid" when the flags leave open whose run state goes; "conflict" when what the roots name is not an
 * engine's.
 */
export function findInstallation(args: readonly string[], { keepData }: { keepData: boolean }): Installation {
  const { settings, pid, socket, noted } = findEngine(args);
  const isIt = pid !== undefined;
  if (!isIt) refuseHalf(args);
  const isMachines = args.length === 0 || settings.dataRoot === DEFAULT_DATA_ROOT;
  const files = [
    ...sockets(settings),
    ...(isMachines ? [DEFAULT_SOCKET, LOG] : []),
    // Of another engine that runs it is not ours.
    ...(isIt || noted === undefined ? [settings.pidFile] : []),
    ...(isMachines && !keepData ? [dirname(OWN_CONFIG)] : []),
  ];
  return {
    settings,
    pid,
    socket,
    hasDataRoot: checkRoot(settings.dataRoot, 'data root'),
    hasExecRoot: checkRoot(settings.execRoot, 'exec root'),
    units: isMachines ? installedUnits() : [],
    files: [...new Set(files)].filter((path) => existsSync(path)),
  };
}

/** The daemon of these flags, and what it was started with. `noted`: whoever stands in its file. */
export function findEngine(
  args: readonly string[],
): Pick<Installation, 'settings' | 'pid' | 'socket'> & { noted: number | undefined } {
  const named = readSettings(args);
  const noted = readDaemonPid(named.pidFile);
  const running = noted === undefined ? undefined : settingsOf(noted);
  const isIt = running !== undefined && (args.length === 0 || sameRoots(running, named));
  const settings = isIt ? running : named;
  return { settings, pid: isIt ? noted : undefined, socket: socketOf(settings), noted };
}

function sameRoots(one: DaemonSettings, other: DaemonSettings): boolean {
  return one.dataRoot === other.dataRoot && one.execRoot === other.execRoot;
}

/** The exec root that stands in for one that isn't named is that of the machine's own engine. */
function refuseHalf(args: readonly string[]): void {
  const names = (flag: string) => args.some((arg) => arg === flag || arg.startsWith(`${flag}=`));
  if (names('--data-root') === names('--exec-root')) return;
  throw new EngineError('invalid', 'An engine has two roots: name --data-root and --exec-root');
}

/** Of a daemon that runs. */
function settingsOf(pid: number): DaemonSettings | undefined {
  try {
    const flags = daemonFlags(pid);
    return flags === undefined ? undefined : readSettings(flags);
  } catch {
    // Its configuration was changed into one that isn't read.
    return undefined;
  }
}

/** `fd://` is what systemd holds for it. */
function socketOf(settings: DaemonSettings): string | undefined {
  const [first] = sockets(settings);
  return first ?? (settings.hosts.includes('fd://') ? DEFAULT_SOCKET : undefined);
}

function sockets({ hosts }: DaemonSettings): string[] {
  return hosts
    .filter((host) => host.startsWith('unix://'))
    .map((host) => host.slice('unix://'.length))
    .filter((path) => lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true);
}
