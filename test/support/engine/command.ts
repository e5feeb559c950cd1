import { patience } from '../../../src/sys/testing/patience.ts';

export interface CommandResult {
  stdout: string;
  stderr: string;
  /** The exit code; 128 and the signal's number where a signal ended it. */
  code: number;
}

export interface CommandOptions {
  stdin?: string | Uint8Array;
  env?: Record<string, string>;
  cwd?: string;
  timeoutMs?: number;
}

/** Run a command to its end. Never blocks the loop: the registry that it talks to may live in this process. */
export async function run(command: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const child = Bun.spawn([...command], {
    stdin:
      options.stdin === undefined
        ? 'ignore'
        : new Blob([typeof options.stdin === 'string' ? options.stdin : options.stdin.slice()]),
    stdout: 'pipe',
    stderr: 'pipe',
    env: { PATH: process.env['PATH'] ?? '', ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    timeout: (options.timeoutMs ?? 60_000) * patience,
    killSignal: 'SIGKILL',
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { stdout, stderr, code };
}

/** Standard output of a command that must succeed. */
export async function must(command: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { stdout, stderr, code } = await run(command, options);
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}: ${stderr || stdout}`);
  return stdout;
}

export interface RunningCommand {
  readonly child: Bun.Subprocess<'pipe', 'pipe', 'pipe'>;
  /** What came until now. */
  readonly seen: { stdout: string; stderr: string };
  /** Resolves once `stdout` matches. */
  until(pattern: RegExp, timeoutMs?: number): Promise<void>;
  end(): Promise<CommandResult>;
}

/** Start a command and read along. */
export function start(command: readonly string[], options: CommandOptions = {}): RunningCommand {
  const child = Bun.spawn([...command], {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
    env: { PATH: process.env['PATH'] ?? '', ...options.env },
    timeout: (options.timeoutMs ?? 60_000) * patience,
    killSignal: 'SIGKILL',
  });
  const seen = { stdout: '', stderr: '' };
  const collect = async (name: 'stdout' | 'stderr') => {
    const decoder = new TextDecoder();
    for await (const chunk of child[name]) seen[name] += decoder.decode(chunk, { stream: true });
  };
  const collected = Promise.all([collect('stdout'), collect('stderr')]);
  return {
    child,
    seen,
    until: (pattern, timeoutMs = 20_000) =>
      eventually(() => pattern.test(seen.stdout), {
        timeoutMs,
        what: () => `${command.join(' ')} to print ${pattern}; it printed ${JSON.stringify(seen)}`,
      }),
    end: async () => {
      await collected;
      return { ...seen, code: await child.exited };
    },
  };
}

/** Wait until `condition` holds. Rejects with what was waited for. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  { timeoutMs = 10_000, what = () => 'a condition' }: { timeoutMs?: number; what?: () => string } = {},
): Promise<void> {
  const deadline = performance.now() + timeoutMs * patience;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Waited ${timeoutMs} ms for ${what()}`);
    await Bun.sleep(20);
  }
}
