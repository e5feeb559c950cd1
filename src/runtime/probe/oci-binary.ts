import { EngineError } from '../../errors/engine-error.ts';
import { type RunResult, run } from '../../sys/spawn.ts';
import { startError } from '../runtime-errors.ts';

/** An OCI runtime that a probe has seen working. */
export interface OciBinary {
  name: 'crun' | 'runc';
  path: string;
  version: string;
  commit: string;
}

export interface OciCommandOptions {
  binary: OciBinary;
  /** Its `--root`: where it keeps its state, ours alone. */
  stateDirectory: string;
  cgroupDriver: 'cgroupfs' | 'systemd';
}

const TIMEOUT_MS = 30_000;

/** Arguments before the sub-command, the same for conmon's calls and for ours. */
export function globalArguments(options: OciCommandOptions): string[] {
  return [
    `--root=${options.stateDirectory}`,
    ...(options.cgroupDriver === 'systemd' ? ['--systemd-cgroup'] : []),
  ];
}

/** `start`, `pause`, `resume`, `update`, `delete` of the runtime binary, one process each. */
export class OciCommand {
  readonly #options: OciCommandOptions;
  readonly #executable: () => string;

  /** @param executable what stands for the binary at the time of a call */
  constructor(options: OciCommandOptions, executable = () => options.binary.path) {
    this.#options = options;
    this.#executable = executable;
  }

  async start(id: string): Promise<void> {
    const result = await this.#run(['start', id]);
    if (result.exitCode !== 0) throw startError(result.stderr);
  }

  async pause(id: string): Promise<void> {
    await this.#checked(['pause', id], `Cannot pause container ${id}`);
  }

  /** @param file `linux.resources` as JSON */
  async update(id: string, file: string): Promise<void> {
    const { exitCode, stderr } = await this.#run(['update', '--resources', file, id]);
    if (exitCode !== 0) throw new EngineError('internal', stderr.trim());
  }

  async resume(id: string): Promise<void> {
    await this.#checked(['resume', id], `Cannot unpause container ${id}`);
  }

  /** Kill what is left, remove the cgroup and the runtime's state. Absent is fine. */
  async delete(id: string): Promise<void> {
    const result = await this.#run(['delete', '--force', id]);
    if (result.exitCode !== 0 && !/does not exist|No such file|not found/i.test(result.stderr)) {
      throw new EngineError('internal', `Cannot remove container ${id}: ${result.stderr.trim()}`);
    }
  }

  async #checked(command: string[], what: string): Promise<void> {
    const result = await this.#run(command);
    if (result.exitCode !== 0) throw new EngineError('internal', `${what}: ${result.stderr.trim()}`);
  }

  #run(command: string[]): Promise<RunResult> {
    return run([this.#executable(), ...globalArguments(this.#options), ...command], {
      timeoutMs: TIMEOUT_MS,
    });
  }
}
