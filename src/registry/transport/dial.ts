import { connect } from 'node:net';
import { EngineError } from '../../errors/engine-error.ts';
import { splitHost } from '../sources/host-match.ts';
import type { Endpoint } from '../sources/sources.ts';

/**
 * For a host with a `dial_timeout`: see whether a connection comes about in that time. `fetch` can only limit connection and answer together, and a mirror
 * that fetches what it is asked for answers late.
 *
 * @throws EngineError "unavailable" code registry-unreachable; `signal.reason`.
 */
export async function dialWithin(
  { trust, dialTimeoutMs }: Pick<Endpoint, 'trust' | 'dialTimeoutMs'>,
  signal: AbortSignal,
): Promise<void> {
  if (dialTimeoutMs === undefined) return;
  const { host: authority, protocol } = new URL(trust.origin);
  const { host, port = protocol === 'https:' ? '443' : '80' } = splitHost(authority);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const fail = (reason: string) =>
    reject(
      new EngineError('unavailable', `Get "${trust.origin}/": dial tcp ${host}:${port}: ${reason}`, {
        code: 'registry-unreachable',
      }),
    );
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const socket = connect({ host, port: Number(port) });
  socket.setTimeout(dialTimeoutMs, () => fail('i/o timeout'));
  socket.once('connect', resolve);
  socket.once('error', (error) => fail(error.message));
  try {
    await promise;
  } finally {
    signal.removeEventListener('abort', onAbort);
    socket.destroy();
  }
}
