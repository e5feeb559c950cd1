import type { ExecHandle } from '../../runtime/exec.ts';
import type { LiveContainer, LiveTask } from '../live-container.ts';
import { StreamHub } from '../streams/stream-hub.ts';
import type { ExecConfig, ExecView } from './exec-backend.ts';

/** One exec in the daemon's memory. */
export class LiveExec {
  readonly id: string;
  readonly container: LiveContainer;
  /** The start of the container that it was created in. */
  readonly task: LiveTask;
  readonly config: ExecConfig;
  readonly hub = new StreamHub();
  state: 'created' | 'starting' | 'running' | 'ended' = 'created';
  handle: ExecHandle | undefined;
  exitCode: number | undefined;
  endedAtMs = 0;
  /** Run for the engine's own sake: nobody asks for it later. */
  isOwn = false;
  /** Resolves when it runs or has failed to; a resize waits for that. */
  readonly started = Promise.withResolvers<void>();
  /** Resolves when exit code and output are complete. */
  readonly ended = Promise.withResolvers<void>();

  constructor(id: string, container: LiveContainer, of: { task: LiveTask; config: ExecConfig }) {
    this.id = id;
    this.container = container;
    this.task = of.task;
    this.config = of.config;
  }

  get view(): ExecView {
    return {
      id: this.id,
      containerId: this.container.id,
      config: this.config,
      running: this.state === 'starting' || this.state === 'running',
      exitCode: this.exitCode,
      pid: this.handle?.pid ?? 0,
    };
  }
}
