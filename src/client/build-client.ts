import type { LocalProofJson } from '../wire/build.ts';
import { type EngineConnection, segment } from './engine-connection.ts';
import type { BuildMessage } from './model.ts';
import { encodeFilters } from './query.ts';
import type { HijackedConnection } from './transport.ts';

export interface BuildOptions {
  /** Parts of the body, as `BUILD_BODY_TYPE` of the wire has them. */
  body: AsyncIterable<Uint8Array>;
  contentType: string;
  /** X-Registry-Config, base64url JSON. */
  registryConfig?: string | undefined;
  /** As `--isolation` has it; undefined: not said. */
  isolation?: string | undefined;
  signal?: AbortSignal | undefined;
}

export interface BuildPruneResult {
  CachesDeleted?: string[] | null;
  SpaceReclaimed?: number;
}

/** `/build`. */
export class BuildClient {
  readonly #engine: EngineConnection;

  constructor(engine: EngineConnection) {
    this.#engine = engine;
  }

  /** Ends with a `result` or an `error` line. Sampan's daemon alone can: others build by their own protocols. */
  async *build(options: BuildOptions): AsyncGenerator<BuildMessage, void, undefined> {
    const { body, contentType, registryConfig, isolation, signal } = options;
    await this.#engine.own('build this way', async () => undefined);
    yield* this.#engine.jsonLines<BuildMessage>('POST', '/build', {
      query: { version: 'sampan', isolation },
      body,
      contentType,
      ...(registryConfig === undefined ? {} : { headers: { 'x-registry-config': registryConfig } }),
      signal,
    });
  }

  /** Path of a file that only root on the daemon's machine can read; what stands in it lets the daemon read contexts where they lie. */
  async localProof(): Promise<string> {
    const answer = await this.#engine.own('read a build context where it lies', () =>
      this.#engine.json<LocalProofJson>('GET', '/build/local'),
    );
    return answer.file;
  }

  /** What a build's `output` line has told of. */
  async output(token: string, signal?: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const { body } = await this.#engine.stream('GET', `/build/outputs/${token}`, { signal });
    return body;
  }

  /** Give the daemon what a `blob` line asks for. */
  async giveBlob(token: string, data: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<void> {
    const contentType = 'application/octet-stream';
    await this.#engine.call('PUT', `/build/blobs/${segment('token', token)}`, {
      body: data,
      contentType,
      signal,
    });
  }

  /** Take what a `blob` line offers. */
  async takeBlob(token: string, signal?: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const { body } = await this.#engine.stream('GET', `/build/blobs/${segment('token', token)}`, { signal });
    return body;
  }

  /** There is nothing to give, or to take. */
  async declineBlob(token: string, signal?: AbortSignal): Promise<void> {
    await this.#engine.call('DELETE', `/build/blobs/${segment('token', token)}`, { signal });
  }

  /** The connection that an `agent` line asks for. */
  async agent(token: string, signal?: AbortSignal): Promise<HijackedConnection> {
    return await this.#engine.hijack('POST', `/build/agents/${segment('token', token)}`, { signal });
  }

  /** The connection that a `terminal` line asks for. */
  async terminal(token: string, signal?: AbortSignal): Promise<HijackedConnection> {
    return await this.#engine.hijack('POST', `/build/terminals/${segment('token', token)}`, { signal });
  }

  /** Width and height in characters. */
  async resizeTerminal(token: string, size: { width: number; height: number }): Promise<void> {
    await this.#engine.call('POST', `/build/terminals/${segment('token', token)}/resize`, {
      query: { h: size.height, w: size.width },
    });
  }

  prune(
    options: {
      all?: boolean;
      keepStorage?: number;
      filters?: Readonly<Record<string, readonly string[]>>;
    } = {},
  ): Promise<BuildPruneResult> {
    return this.#engine.json('POST', '/build/prune', {
      query: {
        all: options.all === true ? true : undefined,
        'keep-storage': options.keepStorage,
        filters: encodeFilters(options.filters ?? {}),
      },
    });
  }
}
