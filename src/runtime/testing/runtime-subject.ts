import { expect } from 'bun:test';
import type { ExecRequest } from '../exec.ts';
import type { Runtime, TaskHandle, TaskRequest, TaskStreams } from '../runtime.ts';

const signal = new AbortController().signal;

/** Command lines that every runtime under test must understand: a shell's, or a script's that acts like it. */
export const conformancePrograms = {
  /** Prints `hi\n`. */
  echo: ['echo', 'hi'],
  /** Copies stdin to stdout, ends with 0 at its end. */
  cat: ['cat'],
  /** `out\n` to stdout, `err\n` to stderr, exit code 3. */
  both: ['sh', '-c', 'echo out; echo err >&2; exit 3'],
  /** Until a signal comes; SIGTERM (15) ends it with 143, or with 7 in `trap`. */
  sleep: ['sleep', '60'],
  trap: ['sh', '-c', 'trap "exit 7" TERM; echo ready; while :; do sleep 0.05; done'],
  /** 5,000,000 bytes `x`. */
  flood: ['sh', '-c', 'head -c 5000000 /dev/zero | tr "\\0" x'],
  missing: ['nosuch'],
  missingPath: ['/nosuch'],
  notExecutable: ['/etc/plain'],
} as const;

export interface RuntimeSubject {
  runtime: Runtime;
  /** A request for one of `conformancePrograms`, with an id of its own. */
  request(args: readonly string[], more?: Partial<TaskRequest>): TaskRequest;
  /** A request to run one of `conformancePrograms` in a task of `request`, with an id of its own. */
  exec(
    task: TaskHandle,
    args: readonly string[],
    more?: { terminal?: boolean; stdin?: boolean },
  ): Promise<ExecRequest>;
  /** What is left on the host of an exec. */
  execLeftovers(request: ExecRequest): Promise<string[]>;
  /** Another Runtime on the same state, as after a restart of the daemon. The old one is not used any more. */
  reopen(): Promise<Runtime>;
  /** What is left on the host of a task: processes, cgroups, files. */
  leftovers(request: TaskRequest): Promise<string[]>;
}

/** Everything a task or an exec says until it leaves. */
export async function collect(streams: TaskStreams): Promise<{ stdout: string; stderr: string }> {
  const chunks: Record<'stdout' | 'stderr', Uint8Array[]> = { stdout: [], stderr: [] };
  for await (const { stream, data } of streams.output()) chunks[stream].push(data);
  return { stdout: Buffer.concat(chunks.stdout).toString(), stderr: Buffer.concat(chunks.stderr).toString() };
}

export async function started(
  subject: RuntimeSubject,
  args: readonly string[],
  more: Partial<TaskRequest> = {},
): Promise<TaskHandle> {
  const handle = await subject.runtime.create(subject.request(args, more), { signal });
  await subject.runtime.start(handle);
  return handle;
}

export async function rejection(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error('did not reject');
}

export async function expectKind(work: Promise<unknown>, kind: string): Promise<void> {
  expect(await rejection(work)).toMatchObject({ kind });
}

export function textOf(chunk: { data: Uint8Array } | undefined): string {
  return Buffer.from(chunk?.data ?? new Uint8Array()).toString();
}
