import { EngineError } from '../../errors/engine-error.ts';
import { familiarRepository, parseReference, withDefaultTag } from '../../oci/reference.ts';
import { ApiError } from '../api-error.ts';
import type { EngineClient } from '../engine-client.ts';
import type { AuthConfig, ImageDeleted, ImageSummary, ProgressMessage } from '../model.ts';

export interface PullImageOptions {
  /** `linux/arm64`. */
  platform?: string | undefined;
  /** For its registry. Nothing is read from Docker's configuration. */
  auth?: AuthConfig | undefined;
  onProgress?: ((message: ProgressMessage) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** The engine's images; `engine.client.images` has the rest. */
export class Images {
  readonly #client: EngineClient;

  constructor(client: EngineClient) {
    this.#client = client;
  }

  list(): Promise<ImageSummary[]> {
    return this.#client.images.list();
  }

  async exists(name: string): Promise<boolean> {
    try {
      await this.#client.images.inspectText(name);
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return false;
      throw error;
    }
  }

  /** @throws EngineError "internal" with the daemon's words when it can't be had, "invalid" for a name that is none. */
  async pull(name: string, options: PullImageOptions = {}): Promise<void> {
    const reference = withDefaultTag(parseReference(name));
    const messages = this.#client.images.pull({
      repository: familiarRepository(reference),
      tag: reference.digest ?? reference.tag,
      platform: options.platform,
      auth: options.auth && encodeAuth(options.auth),
      signal: options.signal,
    });
    for await (const message of messages) {
      throwFailure(message);
      options.onProgress?.(message);
    }
  }

  remove(name: string, options: { force?: boolean } = {}): Promise<ImageDeleted[]> {
    return this.#client.images.remove(name, options);
  }
}

/** A stream of lines tells of its failure in one of them. */
export function throwFailure({ error, errorDetail }: Pick<ProgressMessage, 'error' | 'errorDetail'>): void {
  const message = errorDetail?.message ?? error;
  if (message !== undefined) throw new EngineError('internal', message);
}

/** `X-Registry-Auth`: base64url, padded, as Go's `URLEncoding`. */
function encodeAuth(auth: AuthConfig): string {
  return Buffer.from(JSON.stringify(auth)).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
}
