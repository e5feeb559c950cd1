import { closeSync, constants, existsSync, openSync, readFileSync, symlinkSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { EngineError, errnoCodeOf } from '../errors/engine-error.ts';
import { closeFd, openPipe, openSocketPair, unreadBytes } from '../sys/pipe.ts';
import { type DetachedChild, spawnDetached } from '../sys/spawn.ts';
import { globalArguments, type OciCommandOptions } from './oci-binary.ts';
import type { TaskRequest } from './runtime.ts';

/** Files of one task, below `TaskRequest.directory`. conmon names all but the last two. */
export const taskFiles = {
  config: 'config.json',
  attach: 'attach',
  control: 'ctl',
  oom: 'oom',
  pid: 'pid',
  exits: 'exit',
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

/** conmon passes on at most 8 KB of what the runtime said, each character escaped. */
const MAX_REPORT_CHARS = 64 * 1024;

/** What conmon said in vain: the runtime's own words, to be turned into Docker's. */
export class MonitorReport extends Error {}

/**
 * Start conmon, which makes the container by the OCI runtime once it is released: its own start takes some 2 ms, in which the bundle can
 * be completed. Should we die meanwhile it goes on, with a bundle that has no spec, and fails.
 *
 * conmon runs in a session of its own with nothing of ours open, and outlives us. It stays in the daemon's cgroup: what stops the
 * daemon must not kill that whole cgroup (`KillMode=process`).
 */
export function startMonitor(request: Omit<TaskRequest, 'spec'>, options: ConmonOptions): Monitor {
  const log = openSync(join(request.directory, taskFiles.monitorLog), 'a', 0o600);
  const sync = openSocketPair();
  const start = openPipe();
  try {
    const child = spawnDetached([options.conmonPath, ...conmonArguments(request, options)], {
      stdio: ['ignore', 'ignore', log, sync.second, start.first],
      env: {
        PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin',
        _OCI_SYNCPIPE: '3',
        _OCI_STARTPIPE: '4',
        TMPDIR: options.temporaryDirectory,
      },
      cwd: request.directory,
    });
    const created = readReport(sync.first, request.directory);
    created.catch(() => undefined);
    return { child, created, ...startPipe(start.second) };
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
  const { directory } = request;
  const id = request.id.containerId;
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
    options.executable ?? options.binary.path,
    ...globalArguments(options).map((argument) => `--runtime-arg=${argument}`),
    '--bundle',
    directory,
    '--container-pidfile',
    join(directory, taskFiles.pid),
    '--exit-dir',
    join(directory, taskFiles.exits),
    '--log-path',
    logArgument(request),
    '--log-level',
    'error',
    ...(request.terminal ? ['--terminal'] : []),
    ...(request.stdin ? ['--stdin'] : []),
    ...(request.leaveStdinOpen ? ['--leave-stdin-open'] : []),
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

/** The monitor's one line: `{"data": <pid>}`, or `{"data": -1, "message": <what the runtime said>}`; or its death. */
async function readReport(fd: number, directory: string): Promise<number> {
  const line = await readLine(fd);
  const report = parseReport(line);
  if (report !== undefined && report.data > 0) return report.data;
  const log = readText(join(directory, taskFiles.monitorLog));
  throw new MonitorReport(report?.message ?? (log || 'the monitor died'));
}

function parseReport(line: string): { data: number; message?: string } | undefined {
  if (line.trim() === '') return undefined;
  let report: unknown;
  try {
    report = JSON.parse(line);
  } catch {
    return { data: -1, message: line.trim() };
  }
  if (typeof report !== 'object' || report === null || !('data' in report)) return undefined;
  const message = 'message' in report && typeof report.message === 'string' ? report.message : undefined;
  return { data: Number(report.data), ...(message === undefined ? {} : { message }) };
}

function readLine(fd: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let text = '';
  const decoder = new TextDecoder();
  Bun.connect({
    fd,
    socket: {
      data(socket: { terminate(): void }, data: Uint8Array) {
        text += decoder.decode(data, { stream: true });
        if (!text.includes('\n') && text.length < MAX_REPORT_CHARS) return;
        resolve(text);
        socket.terminate();
      },
      error: () => undefined,
      close: () => resolve(text),
    },
  } as unknown as Parameters<typeof Bun.connect>[0]).catch((error: unknown) => {
    closeFd(fd);
    reject(error instanceof Error ? error : new Error(String(error)));
  });
  return promise;
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

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}
