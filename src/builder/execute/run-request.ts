import type { ChainId } from '../../oci/digest.ts';
import type { StepLimits } from '../build-request.ts';
import type { BuildSession } from '../build-session.ts';
import type { ClientTerminal } from '../client-terminal.ts';
import type { RunStep, StepMount, StepShell } from '../plan/build-step.ts';

/** A mount of a RUN whose files are known. */
export type ReadyMount =
  | { type: 'bind'; chain: ChainId | undefined; source: string; target: string; readOnly: boolean }
  | { type: 'cache'; directory: string; target: string; readOnly: boolean }
  | Extract<StepMount, { type: 'tmpfs' | 'secret' | 'ssh' }>;

export interface RunRequest {
  step: RunStep;
  parent: ChainId | undefined;
  mounts: readonly ReadyMount[];
  session: Pick<BuildSession, 'secret' | 'forwardAgent'>;
  /** Of steps that say nothing themselves: '' or `default`, `none`, `host`, a network's name. */
  network: string;
  extraHosts: readonly string[];
  limits: Partial<StepLimits>;
}

export interface RunOptions {
  signal: AbortSignal;
  log: (stream: 1 | 2, data: Uint8Array) => void;
  /** The command has failed. Everything it ran in stands until this is done, whatever becomes of `signal`. */
  failed?: ((error: unknown, open: OpenShell) => Promise<void>) | undefined;
}

/** A shell on a terminal, until it ends. @throws EngineErrors of one that can't be started; the signal's reason. */
export type OpenShell = (options: ShellOptions) => Promise<void>;

export interface ShellOptions {
  shell: StepShell;
  terminal: ClientTerminal;
  signal: AbortSignal;
}
