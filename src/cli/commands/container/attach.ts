import type { ContainerInspect } from '../../../client/model.ts';
import { EngineError } from '../../../errors/engine-error.ts';
import { ExitError } from '../../cli-error.ts';
import type { Command } from '../../command.ts';
import { detachKeysOf } from '../../terminal/detach-keys.ts';
import { followTerminalSize, forwardSignals } from './signals.ts';
import { StreamSession } from './stream-session.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTAINER',
  flags: [
    { name: 'detach-keys', kind: 'string', usage: 'Key sequence that leaves the container running' },
    { name: 'no-stdin', kind: 'bool', usage: 'Do not attach STDIN' },
    { name: 'sig-proxy', kind: 'bool', usage: 'Pass signals on to the process', default: 'true' },
  ],
  args: { min: 1, max: 1 },
  async run({ context, client, flags, args }) {
    const container = await client.containers.inspect(args[0] ?? '');
    checkState(container);
    const { Tty: tty, OpenStdin } = container.Config;
    const wantsStdin = !flags.bool('no-stdin');
    const stdin = OpenStdin && wantsStdin;
    if (wantsStdin && tty && !context.stdin.isTerminal)
      throw new EngineError('invalid', 'the input device is not a TTY');
    const detachKeys = detachKeysOf(flags, context);
    const stop = flags.bool('sig-proxy') && !tty ? forwardSignals(context, client, container.Id) : undefined;
    const aborted = new AbortController();
    const wait = client.containers.wait(container.Id, { signal: aborted.signal });
    let stopResizing: (() => void) | undefined;
    try {
      const options = { stdin, stdout: true, stderr: true };
      const connection = await client.containers.attach(container.Id, {
        stream: true,
        ...options,
        detachKeys,
      });
      if (tty && context.stdout.isTerminal) {
        // A change of size makes a full-screen program draw itself anew for who has just come.
        const { width, height } = context.stdout.size();
        await client.containers
          .resize(container.Id, { width: width + 1, height: height + 1 })
          .catch(() => undefined);
        stopResizing = followTerminalSize(context, (size) => client.containers.resize(container.Id, size));
      }
      await new StreamSession(context, connection, { tty, ...options }).run();
      const state = (await client.containers.inspect(container.Id).catch(() => undefined))?.State;
      // As Docker, which calls that a failure here, and not in `run` and `start`.
      if (state?.Running === true && tty) throw new ExitError(1, 'read escape sequence');
      return (await wait.result).StatusCode;
    } finally {
      aborted.abort();
      stopResizing?.();
      stop?.();
    }
  },
};

function checkState({ State }: ContainerInspect): void {
  if (!State.Running)
    throw new EngineError('conflict', 'You cannot attach to a stopped container, start it first');
  if (State.Paused)
    throw new EngineError('conflict', 'You cannot attach to a paused container, unpause it first');
  if (State.Restarting)
    throw new EngineError(
      'conflict',
      'You cannot attach to a restarting container, wait until it is running',
    );
}
