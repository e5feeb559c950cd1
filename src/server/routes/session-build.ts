import type { BuildBackend } from '../../builder/build-backend.ts';
import type { PostedSession } from '../../builder/posted-session.ts';
import type { BuildkitBackend } from '../../buildkit/buildkit-endpoint.ts';
import { EngineError } from '../../errors/engine-error.ts';
import { type ApiRequest, textParam } from '../api-request.ts';
import type { ApiResponse } from '../api-response.ts';
import { sessionBuild } from '../decode/session-build.ts';
import { ProgressWriter } from '../progress-writer.ts';

const UPLOAD = 'upload-request:';
/** The build and the upload of its context are two requests, in either order. */
const UPLOAD_WAIT_MS = 5_000;

interface Upload {
  sent: PromiseWithResolvers<PostedSession>;
  /** The build has done with it. */
  done: PromiseWithResolvers<void>;
}

/** `POST /build?version=2`: BuildKit's builder as clients of 18.09 to 20.10 drive it, by a session and a plain request. */
export class SessionBuilds {
  readonly #buildkit: BuildkitBackend;
  readonly #builder: BuildBackend;
  readonly #uploads = new Map<string, Upload>();

  constructor(buildkit: BuildkitBackend, builder: BuildBackend) {
    this.#buildkit = buildkit;
    this.#builder = builder;
  }

  async build(request: ApiRequest, response: ApiResponse, signal: AbortSignal): Promise<void> {
    const id = textParam(request, 'buildid') ?? '';
    if (id.startsWith(UPLOAD))
      return await this.#receive(id.slice(UPLOAD.length), { request, response, signal });
    const wanted = sessionBuild(request);
    if (textParam(request, 'remote') !== 'upload-request')
      return await this.#stream(wanted, { request, response, signal });
    const upload = this.#upload(id);
    try {
      const session = await within(upload.sent.promise, UPLOAD_WAIT_MS, signal);
      const attributes = { ...wanted.attributes, dockerfilekey: 'context' };
      const context = session.context('context');
      await this.#stream({ ...wanted, attributes, context }, { request, response, signal });
    } finally {
      this.#uploads.delete(id);
      upload.done.resolve();
    }
  }

  async #receive(
    id: string,
    { request, response, signal }: { request: ApiRequest; response: ApiResponse; signal: AbortSignal },
  ): Promise<void> {
    const upload = this.#upload(id);
    const posted = {
      contexts: new Map([['context', request.body]]),
      secrets: new Map(),
      credentials: new Map(),
      outputs: new Map(),
    };
    const session = await this.#builder.receive(posted, { signal });
    try {
      upload.sent.resolve(session);
      await within(upload.done.promise, undefined, signal);
      response.empty(200);
    } finally {
      // A later build of that name is not to get what has gone with this one.
      if (this.#uploads.get(id) === upload) this.#uploads.delete(id);
      await session.close();
    }
  }

  #upload(id: string): Upload {
    const known = this.#uploads.get(id);
    if (known !== undefined) return known;
    const made = { sent: Promise.withResolvers<PostedSession>(), done: Promise.withResolvers<void>() };
    this.#uploads.set(id, made);
    return made;
  }

  async #stream(
    wanted: ReturnType<typeof sessionBuild>,
    { request, response, signal }: { request: ApiRequest; response: ApiResponse; signal: AbortSignal },
  ): Promise<void> {
    const writer = new ProgressWriter(response);
    try {
      const told = await this.#buildkit.build(wanted, {
        signal,
        trace: (message) =>
          writer.writeWhenRead({ id: 'moby.buildkit.trace', aux: Buffer.from(message).toString('base64') }),
      });
      const imageId = told['containerimage.digest'];
      if (imageId !== undefined) writer.write({ id: 'moby.image.id', aux: { ID: imageId } });
      await writer.end();
    } catch (error) {
      await writer.fail(error, request.signal);
    }
  }
}

async function within<T>(
  promise: Promise<T>,
  timeoutMs: number | undefined,
  signal: AbortSignal,
): Promise<T> {
  const failed = Promise.withResolvers<never>();
  const onAbort = (): void => failed.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  const late =
    timeoutMs === undefined
      ? undefined
      : setTimeout(
          () => failed.reject(new EngineError('invalid', 'the build context was not uploaded')),
          timeoutMs,
        );
  try {
    return await Promise.race([promise, failed.promise]);
  } finally {
    clearTimeout(late);
    signal.removeEventListener('abort', onAbort);
  }
}
