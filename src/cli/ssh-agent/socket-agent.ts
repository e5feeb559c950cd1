import { connect, type Socket } from 'node:net';
import { agentFrame, agentFrames } from './agent-frames.ts';
import { AGENT } from './agent-messages.ts';

const FAILURE = Buffer.from([AGENT.failure]);
/** What a build may ask of somebody's agent. Keys are not its to add, remove or lock away. */
const ALLOWED: ReadonlySet<number | undefined> = new Set([AGENT.requestIdentities, AGENT.signRequest]);

/** One connection to an agent that listens on a socket. Messages are answered one after the other. */
export class SocketAgent {
  readonly #socket: Socket;
  readonly #answers: AsyncGenerator<Buffer>;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#answers = agentFrames(socket as AsyncIterable<Uint8Array>);
  }

  /** @throws as connect(2). */
  static async connect(path: string): Promise<SocketAgent> {
    const socket = connect(path);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    socket.on('error', () => undefined);
    return new SocketAgent(socket);
  }

  async answer(message: Uint8Array): Promise<Uint8Array> {
    if (!ALLOWED.has(message[0])) return FAILURE;
    this.#socket.write(agentFrame(message));
    const { done, value } = await this.#answers.next();
    return done === true ? FAILURE : value;
  }

  close(): void {
    this.#socket.destroy();
  }
}
