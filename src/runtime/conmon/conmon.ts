import { closeSync, constants, existsSync, openSync, symlinkSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { EngineError, errnoCodeOf } from '../../errors/engine-error.ts';
import type { Ids } from '../../sys/id-map.ts';
import { closeFd, openPipe, openSocketPair, unreadBytes } from '../../sys/pipe.ts';
import { type DetachedChild, spawnDetached } from '../../sys/spawn.ts';
import { callForRoot } from '../call-for-root.ts';
import { globalArguments, type OciCommandOptions } from '../probe/oci-binary.ts';
import type { TaskRequest } from '../runtime.ts';
import { ReportLines, readAttachable, readPid } from './conmon-report.ts';

/** Files of one task, below `TaskRequest.directory`. conmon names all but the last three, the last but one is an exec's. */
export const taskFiles = {
  config: 'config.json',
  attach: 'attach',
  control: 'ctl',
  oom: 'oom',
  pid: 'pid',
  exits: 'exit',
  process: 'process.json',
  runtimeLog: 'runtime.log',
  monitorLog: 'monitor.log',
} as const;

export interface ConmonOptions extends OciCommandOptions {
  conmonPath: string;
  /** What to call the runtime by, when not by its own path. */
  executable?: string | undefined;
  /** For the socket over which a terminal is handed on; its path must be short. */
  temporaryDirectory: string;
}

export interface Monitor {
  child: DetachedChild;
  /** The bundle is complete: make the container. */
  release(): void;
  /** To be called at the end, released or not. A monitor that still waits takes it for a release, so kill it before. */
  close(): void;
  /** Pid of the container's init. Rejects with what the runtime said. */
  created: Promise<number>;
}

/**
 * Start conmon, which makes the container by the OCI runtime once it is released: its own start takes some 2 ms, in which the bundle can
 * be completed. Should we die meanwhile it goes on, with a bundle that has no spec, and fails.
 *
 * conmon runs in a session of its own with nothing of ours open, and outlives us. It begins in the daemon's cgroup; `LastingCgroup` takes it
 * out of a unit of systemd's, where there is one, so that not even `systemctl kill` ends it.
 */
export function startMonitor(request: Omit<TaskRequest, 'spec'>, options: ConmonOptions): Monitor {
  const { child, lines, start } = launch(conmonArguments(request, options), request.directory, options);
  const created = readPid(lines, logsOf(request.directory)).finally(() => lines.close());
  created.catch(() => undefined);
  return { child, created, ...start };
}

/** What conmon must know of an exec, below `ExecRequest.directory`. */
export interface ExecMonitorRequest {
  containerId: string;
  directory: string;
  terminal: boolean;
  stdin: boolean;
  /** Whether its streams are joined first. */
  joined: boolean;
  /** As in the container's request. */
  root: Ids | undefined;
}

export interface ExecMonitor extends Monitor {
  /** There is an attach socket. Rejects as `created`. */
  attachable: Promise<void>;
}

/**
 * Start conmon for a further process in a container. With `joined` it is released at once, makes its attach socket, and waits for another
 * release (conmon.c, `--exec-attach`); without, for the one.
 */
export function startExecMonitor(request: ExecMonitorRequest, options: ConmonOptions): ExecMonitor {
  const { child, lines, start } = launch(execArguments(request, options), request.directory, options, {
    joined: request.joined,
  });
  if (request.joined) start.release();
  const attachable = request.joined ? readAttachable(lines, logsOf(request.directory)) : Promise.resolve();
  const created = attachable
    .then(() => readPid(lines, logsOf(request.directory)))
    .finally(() => lines.close());
  attachable.catch(() => undefined);
  created.catch(() => undefined);
  return { child, attachable, created, ...start };
}

interface Launched {
  child: DetachedChild;
  /** What it reports. */
  lines: ReportLines;
  start: Pick<Monitor, 'release' | 'close'>;
}

function launch(
  words: readonly string[],
  directory: string,
  options: ConmonOptions,
  { joined = false } = {},
): Launched {
  const log = openSync(join(directory, taskFiles.monitorLog), 'a', 0o600);
  const sync = openSocketPair();
  const start = openPipe();
  try {
    const child = spawnDetached([options.conmonPath, ...words], {
      stdio: ['ignore', 'ignore', log, sync.second, start.first],
      env: {
        PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin',
        _OCI_SYNCPIPE: '3',
        _OCI_STARTPIPE: '4',
        ...(joined ? { _OCI_ATTACHPIPE: '3' } : {}),
        TMPDIR: options.temporaryDirectory,
      },
      cwd: directory,
    });
    return { child, lines: new ReportLines(sync.first), start: startPipe(start.second) };
  } catch (error) {
    closeFd(sync.first);
    closeFd(start.second);
    throw error;
  } finally {
    closeFd(sync.second);
    closeFd(start.first);
    closeSync(log);
  }
}

/** conmon waits for a first byte, or the end, of `_OCI_STARTPIPE` before it makes its first process. */
function startPipe(fd: number): Pick<Monitor, 'release' | 'close'> {
  let open = true;
  return {
    release: () => {
      try {
        writeSync(fd, '1');
      } catch {
        // It has died: its report says so.
      }
    },
    close: () => {
      if (open) closeFd(fd);
      open = false;
    },
  };
}

function conmonArguments(request: Omit<TaskRequest, 'spec'>, options: ConmonOptions): string[] {
  return [
    ...commonArguments({ ...request, containerId: request.id.containerId }, options),
    '--log-path',
    logArgument(request),
    ...(request.leaveStdinOpen ? ['--leave-stdin-open'] : []),
  ];
}

/** A terminal's stdin stays: as in Docker, what a client's end means there is the client's affair. */
function execArguments(request: ExecMonitorRequest, options: ConmonOptions): string[] {
  return [
    ...commonArguments(request, options),
    '--log-path',
    'none',
    '--exec',
    '--exec-process-spec',
    join(request.directory, taskFiles.process),
    ...(request.joined ? ['--exec-attach'] : []),
    ...(request.terminal ? ['--leave-stdin-open'] : []),
    // What it says to the terminal nobody hears when it fails.
    ...(request.terminal ? [`--runtime-arg=--log=${logOf(request.directory, options)}`] : []),
  ];
}

function logOf(directory: string, { binary }: ConmonOptions): string {
  const path = join(directory, taskFiles.runtimeLog);
  return binary.name === 'crun' ? `file:${path}` : path;
}

function logsOf(directory: string): string[] {
  return [taskFiles.runtimeLog, taskFiles.monitorLog].map((name) => join(directory, name));
}

function commonArguments(
  of: { containerId: string; directory: string; terminal: boolean; stdin: boolean; root?: Ids | undefined },
  options: ConmonOptions,
): string[] {
  const { containerId: id, directory, root } = of;
  const executable = options.executable ?? options.binary.path;
  const [program, ...before] =
    root === undefined ? [executable] : callForRoot(executable, { root, directory });
  return [
    '--api-version=1',
    '--sync',
    '--full-attach',
    '--no-sync-log',
    '--cid',
    id,
    '--cuuid',
    id,
    '--name',
    id,
    '--runtime',
    program,
    ...[...before, ...globalArguments(options)].map((argument) => `--runtime-arg=${argument}`),
    '--bundle',
    directory,
    '--container-pidfile',
    join(directory, taskFiles.pid),
    '--exit-dir',
    join(directory, taskFiles.exits),
    '--log-level',
    'error',
    ...(of.terminal ? ['--terminal'] : []),
    ...(of.stdin ? ['--stdin'] : []),
  ];
}

/** conmon cuts a log path at its second colon, so such a path goes by a link to its folder. */
function logArgument(request: Pick<TaskRequest, 'directory' | 'logPath'>): string {
  const path = request.logPath;
  if (path === undefined) return 'none';
  if (!path.includes(':')) return `k8s-file:${path}`;
  const link = join(request.directory, 'log');
  const name = basename(path);
  if (name.includes(':') || link.includes(':')) {
    throw new EngineError('invalid', `Cannot log to "${path}": colon in the name`);
  }
  if (!existsSync(link)) symlinkSync(dirname(path), link);
  return `k8s-file:${join(link, name)}`;
}

/** Write one command to the monitor's control FIFO. @throws EngineError "conflict" when nobody reads it any more. */
export function control(directory: string, command: string): void {
  let fd: number;
  try {
    fd = openSync(join(directory, taskFiles.control), constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    const gone = ['ENOENT', 'ENXIO'].includes(errnoCodeOf(error) ?? '');
    throw new EngineError(
      gone ? 'conflict' : 'internal',
      'Cannot reach the monitor of the container: it has ended',
      {
        cause: error,
      },
    );
  }
  try {
    writeSync(fd, `${command}\n`);
  } finally {
    closeSync(fd);
  }
}

/** Whether the monitor has not read yet what was written to its control FIFO. */
export function hasPendingOrder(directory: string): boolean {
  let fd: number;
  try {
    fd = openSync(join(directory, taskFiles.control), constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return false;
  }
  try {
    return unreadBytes(fd) > 0;
  } finally {
    closeSync(fd);
  }
}
