import { parseEndpoint } from '../endpoint.ts';
import { EngineClient } from '../engine-client.ts';
import { nodeTransport, type TlsOptions } from './node-transport.ts';

export * from '../index.ts';
export { nodeTransport, type TlsOptions } from './node-transport.ts';

/** A client for `host` (`unix:///run/sampan.sock`, `tcp://10.0.0.1:2376`), on Node's own networking. */
export function connect(host: string, options: { tls?: TlsOptions; apiVersion?: string } = {}): EngineClient {
  const endpoint = parseEndpoint(host, { tls: options.tls !== undefined });
  return new EngineClient(nodeTransport(endpoint, { tls: options.tls }), { apiVersion: options.apiVersion });
}
