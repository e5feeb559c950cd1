import type { ExecView } from '../../containers/exec/exec-backend.ts';
import type { ExecInspect } from '../../wire/exec.ts';

/** Answer of `GET /exec/{id}/json`. */
export function encodeExec(view: ExecView): ExecInspect {
  const { config } = view;
  const [entrypoint = '', ...words] = config.command;
  return {
    ID: view.id,
    Running: view.running,
    ExitCode: view.exitCode ?? null,
    ProcessConfig: {
      tty: config.tty,
      entrypoint,
      arguments: words,
      privileged: config.privileged,
      ...(config.user === '' ? {} : { user: config.user }),
    },
    OpenStdin: config.attachStdin,
    OpenStderr: config.attachStderr,
    OpenStdout: config.attachStdout,
    CanRemove: false,
    ContainerID: view.containerId,
    DetachKeys: Buffer.from(config.detachKeys).toString('base64'),
    Pid: view.pid,
  };
}
