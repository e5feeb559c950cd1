import type { TaskStreams } from '../../runtime/runtime.ts';
import { rootOf } from '../../sys/id-map.ts';
import type { ClientTerminal } from '../client-terminal.ts';
import { followTask } from './follow-task.ts';
import type { RunPorts } from './run-ports.ts';
import type { RunRequest, ShellOptions } from './run-request.ts';
import { type StepSpecParts, stepSpec } from './step-spec.ts';

/** The step's own command was the first. */
const GENERATION = 2;

/**
 * A shell on a client's terminal, in the root and the network of a step, among its mounts, until it ends or the client goes.
 *
 * @throws EngineErrors of a shell that can't be started; the signal's reason.
 */
export async function runShell(
  request: RunRequest,
  parts: StepSpecParts,
  ports: RunPorts,
  { shell, terminal, signal }: ShellOptions,
): Promise<void> {
  const both = AbortSignal.any([signal, terminal.signal]);
  const { runtime } = ports;
  const handle = await runtime.create(
    {
      id: { containerId: parts.id, generation: GENERATION },
      rootDirectory: parts.rootDirectory,
      directory: ports.paths.task(parts.id, GENERATION),
      spec: stepSpec(
        { ...request, step: { ...request.step, ...shell } },
        { ...parts, terminal: true },
        ports,
      ),
      terminal: true,
      stdin: true,
      leaveStdinOpen: true,
      logPath: undefined,
      ...(parts.idMap === undefined ? {} : { root: rootOf(parts.idMap) }),
    },
    { signal: both },
  );
  try {
    await followTask(runtime, handle, {
      signal: both,
      output: (_, data) => terminal.write('stdout', data),
      joined: (streams) => connect(terminal, streams),
    });
  } finally {
    await runtime.remove(handle);
  }

  function connect(from: ClientTerminal, streams: TaskStreams): void {
    from.resized((size) => void runtime.resize(handle, size).catch(() => undefined));
    const typing = async (): Promise<void> => {
      for await (const data of from.stdin) await streams.write(data);
    };
    typing().catch(() => undefined);
  }
}
