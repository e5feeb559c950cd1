import type { EngineClient } from '../../../client/engine-client.ts';
import type { CliContext } from '../../context.ts';

const FORWARDED = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGTERM',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGCONT',
  'SIGTSTP',
  'SIGTTIN',
  'SIGTTOU',
] as const;

const ENDS_US = new Set<string>(['SIGINT', 'SIGTERM']);
const PATIENCE = 3;

/**
 * From now until the returned function is called, signals to us go to the container.
 *
 * A process that heeds none (the first of its namespace has no default actions) doesn't hold the terminal for ever:
 * the third SIGINT or SIGTERM ends us.
 */
export function forwardSignals(context: CliContext, client: EngineClient, id: string): () => void {
  let asked = 0;
  const handlers = FORWARDED.map((signal) => {
    const handler = () => {
      if (ENDS_US.has(signal) && ++asked >= PATIENCE) return void leave(context);
      client.containers.kill(id, { signal: signal.slice('SIG'.length) }).catch(() => undefined);
    };
    process.on(signal, handler);
    return { signal, handler };
  });
  return () => {
    for (const { signal, handler } of handlers) process.off(signal, handler);
  };
}

async function leave({ stderr }: CliContext): Promise<never> {
  await stderr.write(`\ngot ${PATIENCE} SIGTERM/SIGINTs, forcefully exiting\n`).catch(() => undefined);
  process.exit(1);
}

/** Gives a terminal over there the size of ours, now and whenever ours changes, until the returned function is called. */
export function followTerminalSize(
  context: CliContext,
  apply: (size: { width: number; height: number }) => Promise<void>,
): () => void {
  const resize = () => {
    const { width, height } = context.stdout.size();
    if (width === 0 && height === 0) return;
    apply({ width, height }).catch(() => undefined);
  };
  resize();
  process.on('SIGWINCH', resize);
  return () => {
    process.off('SIGWINCH', resize);
  };
}
