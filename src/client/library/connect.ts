import { EngineClient } from '../engine-client.ts';
import { nodeTransport } from '../node/node-transport.ts';
import { chooseEndpoint, type EndpointOptions } from './choose-endpoint.ts';
import { Engine } from './engine.ts';

export interface ConnectOptions extends EndpointOptions {
  /** Fixed instead of negotiated. */
  apiVersion?: string;
}

/**
 * An engine to work with, at `host` or where the environment says.
 *
 * @throws EngineError "unavailable" when nothing answers there; what `chooseEndpoint` throws.
 */
export async function connect(options: ConnectOptions = {}): Promise<Engine> {
  const { endpoint, tls } = await chooseEndpoint(options, process.env);
  const { apiVersion } = options;
  return await Engine.open(new EngineClient(nodeTransport(endpoint, { tls }), { apiVersion }));
}
