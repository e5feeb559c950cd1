import type { LocalProofJson } from '../wire/build.ts';
import type { EngineConnection } from './engine-connection.ts';
import type { BuildMessage } from './model.ts';
import { encodeFilters } from './query.ts';

export interface BuildOptions {
  /** Parts of the body, as `BUILD_BODY_TYPE` of the wire has them. */
  body: AsyncIterable<Uint8Array>;
  contentType: string;
  /** X-Registry-Config, base64url JSON. */
  registryConfig?: string | undefined;
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
    const { body, contentType, registryConfig, signal } = options;
    await this.#engine.own('build this way', async () => undefined);
    yield* this.#engine.jsonLines<BuildMessage>('POST', '/build', {
      query: { version: 'sampan' },
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
