import type { AttachClient } from '../../containers/container-backend.ts';
import type { ExecBackend, ExecConfig, ExecView } from '../../containers/exec/exec-backend.ts';
import { EngineError } from '../../errors/engine-error.ts';

/** What the fake process of an exec does; resolves with its exit code. Without a client it was started detached. */
export type FakeExecProgram = (client: AttachClient | undefined) => Promise<number>;

/** Execs in memory that run functions, keyed by the first word of their command; an unknown one is not found. */
export class FakeExecs implements ExecBackend {
  readonly programs = new Map<string, FakeExecProgram>();
  readonly calls: [name: string, ...args: unknown[]][] = [];
  readonly all = new Map<string, ExecView>();

  async createExec(nameOrId: string, config: ExecConfig): Promise<string> {
    this.calls.push(['create', nameOrId, config]);
    const id = String(this.all.size + 1).padStart(64, 'e');
    this.all.set(id, { id, containerId: nameOrId, config, running: false, exitCode: undefined, pid: 0 });
    return id;
  }

  inspectExec(id: string): ExecView {
    const view = this.all.get(id);
    if (view === undefined) throw new EngineError('not-found', `No such exec instance: ${id}`);
    return view;
  }

  checkExec(id: string): void {
    this.inspectExec(id);
  }

  async startExec(
    id: string,
    options: Parameters<ExecBackend['startExec']>[1],
    connect: (() => AttachClient) | undefined,
  ): Promise<void> {
    this.calls.push(['start', id, options]);
    const view = this.inspectExec(id);
    const client = connect?.();
    const command = view.config.command[0] ?? '';
    const program = this.programs.get(command);
    if (program === undefined)
      throw new EngineError(
        'invalid',
        `exec: ${JSON.stringify(command)}: executable file not found in $PATH`,
      );
    this.all.set(id, { ...view, running: true, pid: 4712 });
    const exitCode = await program(client);
    this.all.set(id, { ...view, exitCode, pid: 4712 });
  }

  async resizeExec(id: string, size: { columns: number; rows: number }): Promise<void> {
    this.inspectExec(id);
    this.calls.push(['resize', id, size]);
  }
}
