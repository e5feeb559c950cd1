import { constants as osConstants } from 'node:os';
import { EngineError, errnoCodeOf, messageOf } from '../errors/engine-error.ts';

export interface RunOptions {
  /** Kills the child; the promise then rejects with `signal.reason`. */
  signal?: AbortSignal;
  stdin?: string | Uint8Array;
  /** The whole environment of the child; default: ours. */
  env?: Record<string, string>;
  cwd?: string;
  /** Kills the child; the promise then rejects with an EngineError. */
  timeoutMs?: number;
}

export interface RunResult {
  /** 128 plus the signal's number when one ended the child. */
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** Per stream; what comes after it is read and dropped, so that the child never waits. */
export const MAX_OUTPUT_BYTES = 4 << 20;

/**
 * Run a program to its end, without a shell, and collect what it wrote. It ends once nobody holds its output any more: what starts
 * children that live on belongs to `spawnDetached`.
 *
 * @throws EngineError "internal" when it cannot be started or outlasts `timeoutMs`; `signal.reason` on abort. Never for an exit code.
 */
export async function run(command: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  options.signal?.throwIfAborted();
  const child = spawnCaptured(command, options);
  const stop = new AbortController();
  let timedOut = false;
  const end = (): void => {
    child.kill('SIGKILL');
    stop.abort();
  };
  const timer =
    options.timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = true;
          end();
        }, options.timeoutMs);
  options.signal?.addEventListener('abort', end, { once: true });
  try {
    const [stdout, stderr] = await Promise.all([
      collect(child.stdout, stop.signal),
      collect(child.stderr, stop.signal),
      child.exited,
    ]);
    options.signal?.throwIfAborted();
    if (timedOut) {
      throw new EngineError('internal', `${name(command)} did not end within ${options.timeoutMs} ms`);
    }
    return { exitCode: exitCodeOf(child), stdout, stderr };
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', end);
  }
}

/** As `run`, and any exit code but 0 is an EngineError "internal" that bears the program's own words. */
export async function runChecked(command: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const result = await run(command, options);
  if (result.exitCode !== 0) {
    const words = (result.stderr.trim() || result.stdout.trim()).slice(0, 2000);
    throw new EngineError(
      'internal',
      `${name(command)} failed with exit code ${result.exitCode}${words === '' ? '' : `: ${words}`}`,
    );
  }
  return result;
}

export interface DetachedOptions {
  /** By position: fds 0, 1, 2, 3 … of the child; a number is an open fd of ours, which stays ours to close. */
  stdio: readonly (number | 'ignore')[];
  env?: Record<string, string>;
  cwd?: string;
}

export interface DetachedChild {
  pid: number;
  /** Exit code (128 plus the signal's number when one ended it). Does not keep our event loop alive. */
  exited: Promise<number>;
}

/**
 * Start a program in a session of its own that lives on when we end.
 *
 * Pass pipes made with `pipe2` as numbers: a `'pipe'` of Bun's own is a socket, which some programs hang on.
 *
 * @throws EngineError "internal" when it cannot be started.
 */
export function spawnDetached(command: readonly string[], options: DetachedOptions): DetachedChild {
  const [stdin, stdout, stderr, ...more] = options.stdio;
  const child = started(command, () =>
    Bun.spawn([...command], {
      stdio: [stdin ?? 'ignore', stdout ?? 'ignore', stderr ?? 'ignore', ...more],
      env: options.env ?? process.env,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      detached: true,
    }),
  );
  child.unref();
  return { pid: child.pid, exited: child.exited.then(() => exitCodeOf(child)) };
}

type Captured = Bun.Subprocess<'ignore' | Uint8Array, 'pipe', 'pipe'>;

function spawnCaptured(command: readonly string[], options: RunOptions): Captured {
  const stdin = typeof options.stdin === 'string' ? new TextEncoder().encode(options.stdin) : options.stdin;
  return started(
    command,
    () =>
      Bun.spawn([...command], {
        stdin: stdin ?? 'ignore',
        stdout: 'pipe',
        stderr: 'pipe',
        env: options.env ?? process.env,
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      }) as Captured,
  );
}

function started<T>(command: readonly string[], spawn: () => T): T {
  try {
    return spawn();
  } catch (error) {
    const missing = errnoCodeOf(error) === 'ENOENT';
    throw new EngineError(
      'internal',
      `Cannot run ${name(command)}: ${missing ? 'no such program or folder' : messageOf(error)}`,
      { cause: error, ...(missing ? { hint: `Install ${name(command)}, or put it on the PATH.` } : {}) },
    );
  }
}

async function collect(stream: ReadableStream<Uint8Array>, stop: AbortSignal): Promise<string> {
  const reader = stream.getReader();
  const cancel = (): void => void reader.cancel().catch(() => undefined);
  stop.addEventListener('abort', cancel, { once: true });
  if (stop.aborted) cancel();
  const decoder = new TextDecoder();
  let text = '';
  let sizeBytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    const taken = value.subarray(0, Math.max(0, MAX_OUTPUT_BYTES - sizeBytes));
    sizeBytes += taken.length;
    text += decoder.decode(taken, { stream: true });
  }
}

function exitCodeOf(child: Bun.Subprocess<never, never, never> | Bun.Subprocess): number {
  if (child.exitCode !== null) return child.exitCode;
  const signal = child.signalCode;
  return signal === null ? -1 : 128 + signalNumber(signal);
}

function signalNumber(signal: NodeJS.Signals | number): number {
  if (typeof signal === 'number') return signal;
  return (osConstants.signals as Partial<Record<string, number>>)[signal] ?? 0;
}

function name(command: readonly string[]): string {
  return command[0] ?? '(empty command)';
}
