import { randomUUID } from 'node:crypto';
import { EngineError } from '../../errors/engine-error.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import { isRepositoryPath } from '../../oci/reference.ts';
import type { BlobBackend, BlobUpload } from './blob-backend.ts';
import type { RegistryCall } from './call.ts';
import { RegistryRefusal } from './refusal.ts';
import { checkedDigest } from './route.ts';
import { pacedBody } from './upload-body.ts';

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
  /** When there is no room for another, the one that has been idle longest gives way, if it was for so long: nobody locks others out with what he has begun. */
  crowdedIdleMs: number;
}

/** `/v2/<name>/blobs/uploads/…`: the sessions of blobs under way. They don't outlive the process; clients start over. */
export class UploadEndpoint {
  readonly #backend: BlobBackend;
  readonly #limits: UploadLimits;
  readonly #sessions = new Map<string, Session>();
  /** Sessions that are being made. */
  #opening = 0;
  readonly #sweeper: ReturnType<typeof setInterval>;

  constructor(backend: BlobBackend, limits: UploadLimits) {
    this.#backend = backend;
    this.#limits = limits;
    this.#sweeper = setInterval(() => void this.#sweep(), limits.idleMs);
    this.#sweeper.unref();
  }

  async handle(
    call: RegistryCall,
    target: { repository: string; id: string | undefined },
  ): Promise<Response> {
    const { request, url } = call;
    if (target.id === undefined) {
      if (request.method !== 'POST') throw RegistryRefusal.method('POST');
      return this.#start(call, target.repository);
    }
    const session = this.#find(target.repository, target.id);
    switch (request.method) {
      case 'GET':
      case 'HEAD':
        return this.#answer(call, session, 204);
      case 'PATCH':
        await this.#exclusively(session, () => this.#receive(call, session));
        return this.#answer(call, session, 202);
      case 'PUT':
        return this.#finish(call, session, checkedDigest(url.searchParams.get('digest')));
      case 'DELETE':
        await this.#exclusively(session, () => this.#drop(session));
        return new Response(null, { status: 204 });
      default:
        throw RegistryRefusal.method('GET, HEAD, PATCH, PUT, DELETE');
    }
  }

  /** Give up all that is under way. */
  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    await Promise.allSettled([...this.#sessions.values()].map((session) => this.#drop(session)));
  }

  async #start(call: RegistryCall, repository: string): Promise<Response> {
    const { searchParams } = call.url;
    const mounted = await this.#mount(searchParams, repository);
    if (mounted !== undefined) return created(call, repository, mounted);
    const digest = searchParams.get('digest');
    const checked = digest === null ? undefined : checkedDigest(digest);
    const session = await this.#open(repository);
    if (checked === undefined) return this.#answer(call, session, 202);
    try {
      return await this.#finish(call, session, checked);
    } finally {
      // Nobody was told of the session: what is not finished now never will be.
      if (this.#sessions.has(session.id)) await this.#drop(session);
    }
  }

  async #open(repository: string): Promise<Session> {
    await this.#sweep();
    if (this.#isFull()) await this.#makeRoom();
    if (this.#isFull())
      throw new RegistryRefusal(429, 'TOOMANYREQUESTS', 'too many uploads at once', {
        headers: { 'retry-after': '5' },
      });
    const id = randomUUID();
    this.#opening++;
    try {
      const upload = await this.#backend.upload(id);
      const session: Session = { id, repository, upload, busy: false, touchedMs: Date.now() };
      this.#sessions.set(id, session);
      return session;
    } finally {
      this.#opening--;
    }
  }

  /** Without `from`, any repository's blob will do: whoever names its digest knows it. What is not to be mounted is uploaded. */
  async #mount(query: URLSearchParams, repository: string): Promise<Digest | undefined> {
    const digest = query.get('mount');
    const from = query.get('from') ?? undefined;
    if (digest === null || !isDigest(digest)) return undefined;
    if (from !== undefined && !isRepositoryPath(from)) return undefined;
    return (await this.#backend.mountBlob(repository, digest, from)) ? digest : undefined;
  }

  async #finish(call: RegistryCall, session: Session, digest: Digest): Promise<Response> {
    await this.#exclusively(session, async () => {
      await this.#receive(call, session);
      this.#sessions.delete(session.id);
      try {
        await session.upload.commit(session.repository, digest);
      } catch (error) {
        if (error instanceof EngineError && error.code === 'digest-mismatch')
          throw new RegistryRefusal(400, 'DIGEST_INVALID', 'provided digest did not match uploaded content');
        throw error;
      }
    });
    return created(call, session.repository, digest);
  }

  /** Append a request's body. What came before a connection broke stays. */
  async #receive(call: RegistryCall, session: Session): Promise<void> {
    const expected = expectedBytes(call, session);
    let received = 0;
    for await (const chunk of pacedBody(call.request.body, call.pace)) {
      received += chunk.length;
      if (expected !== undefined && received > expected) {
        await this.#drop(session);
        throw sizeMismatch();
      }
      if (session.upload.offset + chunk.length > this.#limits.maxBlobBytes) {
        await this.#drop(session);
        throw new RegistryRefusal(413, 'SIZE_INVALID', 'the blob is too large');
      }
      await this.#write(session, chunk);
    }
    if (expected !== undefined && received < expected) throw sizeMismatch();
  }

  /** An upload that could not be written (a full disk) is over, and its bytes are gone. */
  async #write(session: Session, chunk: Uint8Array): Promise<void> {
    try {
      await session.upload.write(chunk);
    } catch (error) {
      await this.#drop(session);
      throw error;
    }
    session.touchedMs = Date.now();
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

  #isFull(): boolean {
    return this.#sessions.size + this.#opening >= this.#limits.maxSessions;
  }

  async #makeRoom(): Promise<void> {
    const before = Date.now() - this.#limits.crowdedIdleMs;
    let idlest: Session | undefined;
    for (const session of this.#sessions.values())
      if (!session.busy && session.touchedMs <= (idlest?.touchedMs ?? before)) idlest = session;
    if (idlest !== undefined) await this.#drop(idlest);
  }

  async #sweep(): Promise<void> {
    const before = Date.now() - this.#limits.idleMs;
    for (const session of this.#sessions.values())
      if (!session.busy && session.touchedMs < before) await this.#drop(session);
  }

  #answer(call: RegistryCall, session: Session, status: number): Response {
    return new Response(null, { status, headers: sessionHeaders(call, session) });
  }
}

/**
 * How many bytes the chunk has, where it says so.
 *
 * @throws RegistryRefusal 416 for one that does not begin where the upload stands, 400 when its length is another than its range's.
 */
function expectedBytes(call: RegistryCall, session: Session): number | undefined {
  const range = call.request.headers.get('content-range');
  if (range === null) return undefined;
  const match = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\d+|\*))?$/.exec(range.trim());
  const [start, end] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || start !== session.upload.offset || end < start)
    throw new RegistryRefusal(
      416,
      'BLOB_UPLOAD_INVALID',
      'the chunk does not begin where the upload stands',
      { headers: sessionHeaders(call, session) },
    );
  const length = call.request.headers.get('content-length');
  if (length !== null && Number(length) !== end - start + 1) throw sizeMismatch();
  return end - start + 1;
}

function sizeMismatch(): RegistryRefusal {
  return new RegistryRefusal(400, 'SIZE_INVALID', 'provided length did not match content length');
}

function sessionHeaders(
  { locate }: RegistryCall,
  { id, repository, upload }: Session,
): Record<string, string> {
  return {
    location: locate(`/v2/${repository}/blobs/uploads/${id}`),
    range: `0-${Math.max(upload.offset - 1, 0)}`,
    'docker-upload-uuid': id,
  };
}

function created({ locate }: RegistryCall, repository: string, digest: Digest): Response {
  return new Response(null, {
    status: 201,
    headers: { location: locate(`/v2/${repository}/blobs/${digest}`), 'docker-content-digest': digest },
  });
}
