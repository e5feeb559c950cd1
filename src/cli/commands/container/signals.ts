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

/** From now until the returned function is called, signals to us go to the container. */
export function forwardSignals(client: EngineClient, id: string): () => void {
  const handlers = FORWARDED.map((signal) => {
    const handler = () => {
      client.containers.kill(id, { signal: signal.slice('SIG'.length) }).catch(() => undefined);
    };
    process.on(signal, handler);
    return { signal, handler };
  });
  return () => {
    for (const { signal, handler } of handlers) process.off(signal, handler);
  };
}

/** Gives the container's terminal the size of ours, now and whenever ours changes, until the returned function is called. */
export function followTerminalSize(context: CliContext, client: EngineClient, id: string): () => void {
  const resize = () => {
    const { width, height } = context.stdout.size();
    if (width === 0 && height === 0) return;
    client.containers.resize(id, { width, height }).catch(() => undefined);
  };
  resize();
  process.on('SIGWINCH', resize);
  return () => {
    process.off('SIGWINCH', resize);
  };
}
