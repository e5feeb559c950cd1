import { EngineError, messageOf } from '../../errors/engine-error.ts';
import { nowNano } from '../../sys/clock.ts';
import type { AttachClient } from '../container-backend.ts';
import type { ExecConfig } from '../exec/exec-backend.ts';
import type { ExecService } from '../exec/exec-service.ts';
import type { LiveExec } from '../exec/live-exec.ts';
import type { LiveContainer, LiveTask } from '../live-container.ts';
import { SIGKILL } from '../signals.ts';
import type { HealthPlan, ProbeResult } from './health.ts';

const MAX_OUTPUT_BYTES = 4096;
/** Apart from the check's own time, which begins when it runs. */
const START_LIMIT_MS = 30_000;

/** One run of a container's check. Never rejects; an abort ends the check. */
export async function runProbe(
  execs: ExecService,
  of: { container: LiveContainer; task: LiveTask; plan: HealthPlan },
  signal: AbortSignal,
): Promise<ProbeResult> {
  const startNano = nowNano();
  const output = new BoundedOutput();
  const exec = execs.create(of.container, of.task, execConfig(of.plan.command));
  const end = (): void => void execs.kill(exec, SIGKILL).catch(() => undefined);
  signal.addEventListener('abort', end, { once: true });
  try {
    const run = execs.run(exec, { client: collector(output) });
    const exitCode = await outcome(exec, { run, plan: of.plan, end });
    if (exitCode !== undefined) return { startNano, endNano: nowNano(), exitCode, output: output.text };
    const said = output.text === '' ? '' : `: ${output.text}`;
    const text = `Health check exceeded timeout (${goDuration(of.plan.timeoutMs)})${said}`;
    return { startNano, endNano: nowNano(), exitCode: -1, output: text };
  } catch (error) {
    return { startNano, endNano: nowNano(), exitCode: -1, output: messageOf(error) };
  } finally {
    signal.removeEventListener('abort', end);
    execs.forget(exec);
  }
}

/** The exit code; undefined when it took too long, and has been ended. */
async function outcome(
  exec: LiveExec,
  { run, plan, end }: { run: Promise<void>; plan: HealthPlan; end: () => void },
): Promise<number | undefined> {
  run.catch(() => undefined);
  if (!(await within(Promise.race([exec.started.promise, run]), START_LIMIT_MS))) {
    // Should it run after all, it is not to stay.
    void exec.started.promise.then(end);
    throw new EngineError('internal', `timed out starting health check for container ${exec.container.id}`);
  }
  const inTime = await within(run, plan.timeoutMs);
  if (!inTime) end();
  await run;
  return inTime ? (exec.exitCode ?? -1) : undefined;
}

async function within(work: Promise<void>, timeoutMs: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), timeoutMs);
  timer.unref();
  try {
    return await Promise.race([work.then(() => true), promise]);
  } finally {
    clearTimeout(timer);
  }
}

function execConfig(command: string[]): ExecConfig {
  return {
    command,
    env: [],
    user: '',
    workingDir: '',
    privileged: false,
    tty: false,
    attachStdin: false,
    attachStdout: true,
    attachStderr: true,
    detachKeys: new Uint8Array(),
    consoleSize: undefined,
  };
}

function collector(output: BoundedOutput): AttachClient {
  return {
    stdin: nothing(),
    write: async (_stream, data) => output.add(data),
    signal: new AbortController().signal,
  };
}

async function* nothing(): AsyncGenerator<Uint8Array, void> {}

/** What comes first is kept; dots tell that there was more. */
class BoundedOutput {
  readonly #chunks: Uint8Array[] = [];
  #sizeBytes = 0;
  #cut = false;

  add(data: Uint8Array): void {
    const taken = data.subarray(0, MAX_OUTPUT_BYTES - this.#sizeBytes);
    this.#cut ||= taken.length < data.length;
    if (taken.length === 0) return;
    this.#chunks.push(taken.slice());
    this.#sizeBytes += taken.length;
  }

  get text(): string {
    return `${Buffer.concat(this.#chunks).toString('utf8')}${this.#cut ? '...' : ''}`;
  }
}

/** As Go prints a duration: `500ms`, `1.5s`, `1m30s`, `1h0m0s`. */
export function goDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${milliseconds}ms`;
  const hours = Math.floor(milliseconds / 3_600_000);
  const minutes = Math.floor(milliseconds / 60_000) % 60;
  const seconds = `${(milliseconds % 60_000) / 1000}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}
