import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { HijackedConnection } from '../../../client/transport.ts';
import { EngineError, messageOf } from '../../../errors/engine-error.ts';
import type { CliContext } from '../../context.ts';
import { agentFrame, agentFrames } from '../../ssh-agent/agent-frames.ts';
import { KeyAgent } from '../../ssh-agent/key-agent.ts';
import { type PrivateKey, parsePrivateKey } from '../../ssh-agent/private-key.ts';
import { SocketAgent } from '../../ssh-agent/socket-agent.ts';
import { reasonOf } from '../save-output.ts';

type Source = { keys: readonly PrivateKey[] } | { socket: string };

/** The SSH agents of `--ssh`, by their ids. */
export class ForwardedAgents {
  readonly #sources: ReadonlyMap<string, Source>;

  private constructor(sources: ReadonlyMap<string, Source>) {
    this.#sources = sources;
  }

  /** `default`, `id=socket`, `id=key[,key…]`. @throws EngineError "invalid" in buildx's words. */
  static async open(context: CliContext, values: readonly string[]): Promise<ForwardedAgents> {
    const sources = new Map<string, Source>();
    for (const value of values) {
      const at = value.indexOf('=');
      const id = (at < 0 ? value : value.slice(0, at)) || 'default';
      if (sources.has(id)) throw new EngineError('invalid', `duplicate agent ID ${JSON.stringify(id)}`);
      const paths = at < 0 ? [] : value.slice(at + 1).split(',');
      sources.set(id, await sourceOf(context, id, paths));
    }
    return new ForwardedAgents(sources);
  }

  get ids(): string[] {
    return [...this.#sources.keys()];
  }

  /** Be the agent of a connection until its other end is done. */
  async serve(id: string, connection: HijackedConnection): Promise<void> {
    let agent: KeyAgent | SocketAgent | undefined;
    try {
      agent = await this.#agent(id);
      for await (const message of agentFrames(connection.input))
        await connection.write(agentFrame(await agent.answer(message)));
      await connection.closeWrite();
    } finally {
      connection.close();
      if (agent !== undefined && 'close' in agent) agent.close();
    }
  }

  async #agent(id: string): Promise<KeyAgent | SocketAgent> {
    const source = this.#sources.get(id);
    if (source === undefined) throw new EngineError('internal', `the daemon asks for an unknown agent ${id}`);
    return 'keys' in source ? new KeyAgent(source.keys) : await SocketAgent.connect(source.socket);
  }
}

async function sourceOf(context: CliContext, id: string, paths: readonly string[]): Promise<Source> {
  try {
    return await openSource(context, paths);
  } catch (error) {
    throw new EngineError(
      'invalid',
      `failed to convert agent config for ID: ${JSON.stringify(id)}: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

async function openSource(context: CliContext, given: readonly string[]): Promise<Source> {
  const own = given.length === 0 || (given.length === 1 && given[0] === '');
  const paths = own ? [context.env['SSH_AUTH_SOCK'] ?? ''] : given;
  if (paths[0] === '')
    throw new EngineError('invalid', 'invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set');
  const keys: PrivateKey[] = [];
  let socket: string | undefined;
  for (const path of paths) {
    if (socket !== undefined) throw new EngineError('invalid', 'only single socket allowed');
    const place = resolve(context.cwd, path);
    if (await isSocket(place, path)) socket = place;
    else keys.push(await keyAt(place, path));
  }
  if (socket === undefined) return { keys };
  if (keys.length > 0) throw new EngineError('invalid', 'invalid combination of keys and sockets');
  return { socket };
}

async function isSocket(place: string, shown: string): Promise<boolean> {
  try {
    return (await stat(place)).isSocket();
  } catch (error) {
    throw new EngineError('invalid', `stat ${shown}: ${reasonOf(error)}`, { cause: error });
  }
}

async function keyAt(place: string, shown: string): Promise<PrivateKey> {
  let text: string;
  try {
    text = await readFile(place, 'utf8');
  } catch (error) {
    throw new EngineError('invalid', `failed to open ${shown}: ${reasonOf(error)}`, { cause: error });
  }
  try {
    return parsePrivateKey(text);
  } catch (error) {
    throw new EngineError('invalid', `failed to parse ${shown}: ${messageOf(error)}`, { cause: error });
  }
}
