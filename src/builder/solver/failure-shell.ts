import { messageOf } from '../../errors/engine-error.ts';
import type { ChainId } from '../../oci/digest.ts';
import type { ClientTerminal, OpenTerminal } from '../client-terminal.ts';
import type { OpenShell } from '../execute/run-request.ts';
import { BUILD_HOSTNAME, type FileStep, type RunStep, type StepShell } from '../plan/build-step.ts';
import type { SolverPorts } from './build-ports.ts';
import type { SolveOptions } from './solve-build.ts';

/** A build's first failure, as it is told. */
export interface FailedStep {
  step: RunStep | FileStep;
  error: unknown;
}

export interface FailureShellParts {
  open: OpenTerminal;
  ports: Pick<SolverPorts, 'runs' | 'shellBeforeStep'>;
  /** `signal` is the client's: the build itself has failed. */
  options: Pick<SolveOptions, 'session' | 'network' | 'extraHosts' | 'limits' | 'signal'>;
}

/** Shells for a build's client where it failed, until the client leaves them. What they come to changes nothing of the failure. */
export class FailureShell {
  readonly #parts: FailureShellParts;

  constructor(parts: FailureShellParts) {
    this.#parts = parts;
  }

  /** Where the step's own command was: `open` knows how. */
  async inside(failed: FailedStep, open: OpenShell): Promise<void> {
    const { shell } = failed.step;
    const { signal } = this.#parts.options;
    if (shell === undefined) return;
    const terminal = await this.#parts.open({ error: failed.error, shell: shell.args }, { signal });
    try {
      await open({ shell, terminal, signal });
    } catch (error) {
      await this.#tell(error, shell, terminal);
    } finally {
      terminal.finish();
    }
  }

  /** Where the step would have begun, without its mounts. */
  async before(failed: FailedStep, parent: ChainId | undefined): Promise<void> {
    const { step } = failed;
    const { ports, options } = this.#parts;
    await this.inside(failed, async (shell) => {
      const request = { ...options, step: shellStep(step, shell.shell), parent, mounts: [] };
      await ports.shellBeforeStep(request, ports.runs, shell);
    });
  }

  /** A client that is gone has no use for it. */
  async #tell(error: unknown, { args }: StepShell, terminal: ClientTerminal): Promise<void> {
    this.#parts.options.signal.throwIfAborted();
    const text = `Cannot open a shell (${args.join(' ')}) at this step: ${messageOf(error)}\r\n`;
    await terminal.write('stdout', Buffer.from(text)).catch(() => undefined);
  }
}

function shellStep(step: RunStep | FileStep, shell: StepShell): RunStep {
  if (step.kind === 'run') return { ...step, ...shell, mounts: [] };
  const { parent, id, name, lines, platform, ignoreCache } = step;
  const head = { id, name, lines, platform, ignoreCache, parent };
  const plain = { kind: 'run', proxyEnv: [], mounts: [], network: 'default', security: 'sandbox' } as const;
  return { ...head, ...plain, hostname: BUILD_HOSTNAME, ...shell };
}
