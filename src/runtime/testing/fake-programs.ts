/** What a fake program sees of its container. */
export interface FakeContext {
  readonly args: readonly string[];
  readonly stdin: AsyncIterable<Uint8Array>;
  /** As the last resize() set it. */
  readonly size: { columns: number; rows: number };
  stdout(data: string | Uint8Array): void;
  stderr(data: string | Uint8Array): void;
  /** Take all signals but SIGKILL instead of ending. */
  trap(handler: (signal: number) => void): void;
  /** Rejects when a signal ends the program, which need not be caught. */
  untilKilled(): Promise<never>;
}

/** Resolves with the exit code. */
export type FakeFunction = (process: FakeContext) => Promise<number>;

/** `not-executable`: found, but create() refuses it. */
export type FakeProgram = FakeFunction | 'not-executable';

export const echoProgram: FakeFunction = async (process) => {
  process.stdout(`${process.args.slice(1).join(' ')}\n`);
  return 0;
};

export const catProgram: FakeFunction = async (process) => {
  for await (const data of process.stdin) process.stdout(data);
  return 0;
};

export const sleepProgram: FakeFunction = (process) => process.untilKilled();

/** Says what was given and ends: `scripted({ stdout: 'a\n', exitCode: 3 })`. */
export function scripted(script: { stdout?: string; stderr?: string; exitCode?: number }): FakeFunction {
  return async (process) => {
    process.stdout(script.stdout ?? '');
    process.stderr(script.stderr ?? '');
    return script.exitCode ?? 0;
  };
}
