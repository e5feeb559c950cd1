import { mkdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { EngineError } from '../errors/engine-error.ts';
import { processStartTicks } from '../sys/clock.ts';

/**
 * Note our pid. @throws EngineError "conflict" when the file names a living daemon.
 */
export function writePidFile(path: string): { remove(): void } {
  const holder = readPid(path);
  if (
    holder !== undefined &&
    holder !== process.pid &&
    processStartTicks(holder) !== undefined &&
    isDaemon(holder)
  ) {
    throw new EngineError('conflict', `process with PID ${holder} is still running`, {
      hint: `Stop it, or give another --pidfile than ${path}.`,
    });
  }
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${process.pid}\n`, { mode: 0o644 });
  return {
    remove: () => {
      if (readPid(path) === process.pid) rmSync(path, { force: true });
    },
  };
}

function readPid(path: string): number | undefined {
  try {
    const pid = Number(readFileSync(path, 'utf8').trim());
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** The process that has noted itself, where it still runs and is a daemon. */
export function readDaemonPid(path: string): number | undefined {
  const pid = readPid(path);
  return pid !== undefined && isDaemon(pid) ? pid : undefined;
}

/** A pid may have been given to another program since. */
export function isDaemon(pid: number): boolean {
  return daemonFlags(pid) !== undefined;
}

/** What the daemon's launcher starts beside the daemon. */
const OTHER_PROGRAMS = new Set(['registry', 'doctor', 'uninstall', 'shutdown']);

/** What a daemon was started with, behind `sampand` or `bun [OPTION…] …/daemon/main.ts`; undefined: it has ended or is another program. */
export function daemonFlags(pid: number): string[] | undefined {
  const flags = launchedWith(pid);
  return flags === undefined || OTHER_PROGRAMS.has(flags[0] ?? '') ? undefined : flags;
}

function launchedWith(pid: number): string[] | undefined {
  try {
    // A container's process calls itself what it likes.
    if (readlinkSync(`/proc/${pid}/ns/pid`) !== readlinkSync('/proc/self/ns/pid')) return undefined;
    const [program = '', ...words] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
    if (program.endsWith('/sampand')) return words;
    const script = words.findIndex((word) => !word.startsWith('-'));
    return words[script]?.endsWith('/daemon/main.ts') === true ? words.slice(script + 1) : undefined;
  } catch {
    return undefined;
  }
}
