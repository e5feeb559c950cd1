import { run } from './spawn.ts';

/**
 * Tell systemd of our state, where it asked to be told (`NOTIFY_SOCKET`): `READY=1`, `RELOADING=1`, `STOPPING=1`. By systemd-notify(1), since
 * datagram sockets of the unix kind are not in Node's API. Never fails.
 */
export async function notifySystemd(...states: string[]): Promise<void> {
  if (process.env['NOTIFY_SOCKET'] === undefined) return;
  await run(['systemd-notify', `--pid=${process.pid}`, ...states], { timeoutMs: 5000 }).catch(
    () => undefined,
  );
}
