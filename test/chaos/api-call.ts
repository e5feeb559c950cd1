import { FrameDecoder } from '../../src/wire/stream-frame.ts';

/** How a request ended: answered, or lost because the daemon was killed under it. */
export type Outcome = Answer | { lost: true };

export interface Answer {
  lost: false;
  status: number;
  body: string;
}

/** No request that this campaign makes may take longer while the daemon lives. */
const LIMIT_MS = 90_000;

/** Sends requests to a daemon that may be killed at any moment. */
export class ApiCaller {
  readonly #socket: string;
  /** Ended on purpose, so that a broken connection is no fault. */
  daemonKilled = false;

  constructor(socket: string) {
    this.#socket = socket;
  }

  /** @throws Error when the daemon lives and gives no answer. */
  async call(method: string, path: string, body?: unknown): Promise<Outcome> {
    const text = async (response: Response) => await response.text();
    const answer = await this.#send({ method, path, body }, text);
    return answer === undefined ? { lost: true } : { lost: false, status: answer.status, body: answer.body };
  }

  /** An answer that has to come and to succeed. */
  async json<T>(path: string): Promise<T> {
    const outcome = await this.call('GET', path);
    if (outcome.lost || outcome.status !== 200) throw new Error(`GET ${path}: ${JSON.stringify(outcome)}`);
    return JSON.parse(outcome.body) as T;
  }

  /** The output that the engine has logged, in pieces. Undefined: lost, or there is no such container. */
  async logs(container: string, read: (text: string) => void): Promise<'read' | undefined> {
    const path = `/containers/${container}/logs?stdout=1&stderr=1`;
    const answer = await this.framed({ method: 'GET', path, body: undefined }, read);
    if (answer === undefined || answer.status === 404) return undefined;
    if (answer.status !== 200) throw new Error(`GET ${path}: ${answer.status} ${answer.body}`);
    return 'read';
  }

  /** The output of an answer in frames, in pieces; its body when it is no success. Undefined: lost. */
  async framed(
    request: { method: string; path: string; body: unknown },
    read: (text: string) => void,
  ): Promise<{ status: number; body: string } | undefined> {
    const decoder = new FrameDecoder();
    const take = async (response: Response) => {
      if (response.status !== 200) return await response.text();
      for await (const chunk of response.body ?? [])
        for (const { data } of decoder.push(chunk)) read(Buffer.from(data).toString('latin1'));
      return '';
    };
    return await this.#send(request, take);
  }

  /** Whether the daemon was killed under what has just ended; the notice of it may come a moment later. */
  async wasKilled(): Promise<boolean> {
    await Bun.sleep(50);
    return this.daemonKilled;
  }

  async #send<T>(
    { method, path, body }: { method: string; path: string; body: unknown },
    take: (response: Response) => Promise<T>,
  ): Promise<{ status: number; body: T } | undefined> {
    const init: RequestInit & { unix: string } = {
      method,
      unix: this.#socket,
      keepalive: false,
      signal: AbortSignal.timeout(LIMIT_MS),
    };
    if (body instanceof Uint8Array) {
      init.headers = { 'content-type': 'application/x-tar' };
      init.body = body;
    } else if (body !== undefined) {
      init.headers = { 'content-type': 'application/json' };
      init.body = JSON.stringify(body);
    }
    try {
      const response = await fetch(`http://d${path}`, init);
      return { status: response.status, body: await take(response) };
    } catch (error) {
      if (await this.wasKilled()) return undefined;
      throw new Error(`${method} ${path}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
