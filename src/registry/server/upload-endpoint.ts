import { randomUUID } from 'node:crypto';
import { EngineError } from '../../errors/engine-error.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import { isRepositoryPath } from '../../oci/reference.ts';
import type { BlobBackend, BlobUpload } from './blob-backend.ts';
import { RegistryRefusal } from './refusal.ts';
import { checkedDigest } from './route.ts';

interface Session {
  id: string;
  repository: string;
  upload: BlobUpload;
  busy: boolean;
  touchedMs: number;
}

export interface UploadLimits {
  maxBlobBytes: number;
  maxSessions: number;
  /** A session that nothing was sent to for so long is given up. */
  idleMs: number;
}

/** `/v2/<name>/blobs/uploads/…`: the sessions of blobs under way. They don't outlive the process; clients start over. */
export class UploadEndpoint {
  readonly #backend: BlobBackend;
  readonly #limits: UploadLimits;
  readonly #sessions = new Map<string, Session>();

  constructor(backend: BlobBackend, limits: UploadLimits) {
    this.#backend = backend;
    this.#limits = limits;
  }

  async handle(request: Request, target: { repository: string; id: string | undefined }): Promise<Response> {
    const url = new URL(request.url);
    if (target.id === undefined) {
      if (request.method !== 'POST') throw RegistryRefusal.method('POST');
      return this.#start(request, url, target.repository);
    }
    const session = this.#find(target.repository, target.id);
    switch (request.method) {
      case 'GET':
        return this.#answer(session, 204);
      case 'PATCH':
        await this.#exclusively(session, () => this.#receive(session, request));
        return this.#answer(session, 202);
      case 'PUT':
        return this.#finish({ session, request, digest: checkedDigest(url.searchParams.get('digest')) });
      case 'DELETE':
        await this.#exclusively(session, () => this.#drop(session));
        return new Response(null, { status: 204 });
      default:
        throw RegistryRefusal.method('GET, PATCH, PUT, DELETE');
    }
  }

  /** Give up all that is under way. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#sessions.values()].map((session) => this.#drop(session)));
  }

  async #start(request: Request, url: URL, repository: string): Promise<Response> {
    const mounted = await this.#mount(url, repository);
    if (mounted !== undefined) return created(repository, mounted);
    const digest = url.searchParams.get('digest');
    const checked = digest === null ? undefined : checkedDigest(digest);
    await this.#sweep();
    const id = randomUUID();
    const upload = await this.#backend.upload(id);
    const session: Session = { id, repository, upload, busy: false, touchedMs: Date.now() };
    this.#sessions.set(id, session);
    return checked === undefined
      ? this.#answer(session, 202)
      : this.#finish({ session, request, digest: checked });
  }

  async #mount(url: URL, repository: string): Promise<Digest | undefined> {
    const digest = url.searchParams.get('mount');
    const from = url.searchParams.get('from');
    if (digest === null || from === null || !isDigest(digest) || !isRepositoryPath(from)) return undefined;
    if (!(await this.#backend.hasBlob(from, digest))) return undefined;
    await this.#backend.linkBlob(repository, digest);
    return digest;
  }

  async #finish({
    session,
    request,
    digest,
  }: {
    session: Session;
    request: Request;
    digest: Digest;
  }): Promise<Response> {
    await this.#exclusively(session, async () => {
      await this.#receive(session, request);
      this.#sessions.delete(session.id);
      try {
        await session.upload.commit(digest);
      } catch (error) {
        if (error instanceof EngineError && error.code === 'digest-mismatch')
          throw new RegistryRefusal(400, 'DIGEST_INVALID', 'provided digest did not match uploaded content');
        throw error;
      }
      await this.#backend.linkBlob(session.repository, digest);
    });
    return created(session.repository, digest);
  }

  /** Append a request's body. What came before a connection broke stays. */
  async #receive(session: Session, request: Request): Promise<void> {
    const range = request.headers.get('content-range');
    if (range !== null) this.#checkRange(session, range);
    for await (const chunk of request.body ?? []) {
      if (session.upload.offset + chunk.length > this.#limits.maxBlobBytes) {
        await this.#drop(session);
        throw new RegistryRefusal(413, 'SIZE_INVALID', 'the blob is too large');
      }
      await session.upload.write(chunk);
      session.touchedMs = Date.now();
    }
  }

  #checkRange(session: Session, range: string): void {
    const match = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\d+|\*))?$/.exec(range.trim());
    if (match !== null && Number(match[1]) === session.upload.offset) return;
    throw new RegistryRefusal(
      416,
      'BLOB_UPLOAD_INVALID',
      'the chunk does not begin where the upload stands',
      {
        headers: sessionHeaders(session),
      },
    );
  }

  async #exclusively(session: Session, work: () => Promise<void>): Promise<void> {
    if (session.busy) throw new RegistryRefusal(409, 'BLOB_UPLOAD_INVALID', 'the upload is being written to');
    session.busy = true;
    try {
      await work();
    } finally {
      session.busy = false;
      session.touchedMs = Date.now();
    }
  }

  #find(repository: string, id: string): Session {
    const session = this.#sessions.get(id);
    if (session === undefined || session.repository !== repository)
      throw new RegistryRefusal(404, 'BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry');
    return session;
  }

  async #drop(session: Session): Promise<void> {
    this.#sessions.delete(session.id);
    await session.upload.abort();
  }

  async #sweep(): Promise<void> {
    const before = Date.now() - this.#limits.idleMs;
    for (const session of this.#sessions.values())
      if (!session.busy && session.touchedMs < before) await this.#drop(session);
    if (this.#sessions.size >= this.#limits.maxSessions)
      throw new RegistryRefusal(429, 'TOOMANYREQUESTS', 'too many uploads at once', {
        headers: { 'retry-after': '5' },
      });
  }

  #answer(session: Session, status: number): Response {
    return new Response(null, { status, headers: sessionHeaders(session) });
  }
}

function sessionHeaders({ id, repository, upload }: Session): Record<string, string> {
  return {
    location: `/v2/${repository}/blobs/uploads/${id}`,
    range: `0-${Math.max(upload.offset - 1, 0)}`,
    'docker-upload-uuid': id,
  };
}

function created(repository: string, digest: Digest): Response {
  return new Response(null, {
    status: 201,
    headers: { location: `/v2/${repository}/blobs/${digest}`, 'docker-content-digest': digest },
  });
}
