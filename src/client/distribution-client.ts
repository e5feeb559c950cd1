import type {
  DistributionInspect,
  DistributionManifest,
  DistributionPut,
  DistributionPutAnswer,
} from '../wire/distribution.ts';
import { type EngineConnection, namePath } from './engine-connection.ts';

export interface DistributionOptions {
  /** X-Registry-Auth, base64url JSON. */
  auth?: string | undefined;
  /** False: the registry may speak plain HTTP or show any certificate. Sampan's own. */
  tlsVerify?: boolean;
}

/** `/distribution`: what registries have under a name, without pulling it. */
export class DistributionClient {
  readonly #engine: EngineConnection;

  constructor(engine: EngineConnection) {
    this.#engine = engine;
  }

  inspect(name: string, options: Pick<DistributionOptions, 'auth'> = {}): Promise<DistributionInspect> {
    const headers = options.auth === undefined ? {} : { 'x-registry-auth': options.auth };
    return this.#engine.json('GET', `/distribution/${namePath(name)}/json`, { headers });
  }

  /** @throws EngineError "not-implemented" from a daemon that isn't Sampan's. */
  manifest(name: string, options: DistributionOptions = {}): Promise<DistributionManifest> {
    return this.#engine.own('show manifests', () =>
      this.#engine.json('GET', `/distribution/${namePath(name)}/manifest`, {
        query: { tlsVerify: options.tlsVerify === false ? false : undefined },
        headers: options.auth === undefined ? {} : { 'x-registry-auth': options.auth },
      }),
    );
  }

  /**
   * Publish a manifest under a name, or by its digest. What it refers to must be there.
   *
   * @throws EngineError "not-implemented" from a daemon that isn't Sampan's.
   */
  putManifest(
    name: string,
    manifest: DistributionPut,
    options: DistributionOptions = {},
  ): Promise<DistributionPutAnswer> {
    return this.#engine.own('push manifests', () =>
      this.#engine.json('PUT', `/distribution/${namePath(name)}/manifest`, {
        json: manifest,
        query: { tlsVerify: options.tlsVerify === false ? false : undefined },
        headers: options.auth === undefined ? {} : { 'x-registry-auth': options.auth },
      }),
    );
  }
}
