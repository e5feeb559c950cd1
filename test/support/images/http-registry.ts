import { kindOf, messageOf } from '../../../src/errors/engine-error.ts';
import { parseDigest } from '../../../src/oci/digest.ts';
import { parseReference, type Reference } from '../../../src/oci/reference.ts';
import type { FakeRegistry } from './fake-registry.ts';

/** A `FakeRegistry` over HTTP on loopback, as a mirror of docker.io: for clients in other threads. */
export class HttpRegistry {
  readonly url: string;
  readonly #server: Bun.Server<undefined>;

  constructor(registry: FakeRegistry) {
    this.#server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      idleTimeout: 0,
      fetch: (request) => answer(request, registry),
    });
    this.url = `http://127.0.0.1:${this.#server.port}`;
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }
}

async function answer(request: Request, registry: FakeRegistry): Promise<Response> {
  const { pathname } = new URL(request.url);
  const [, path, kind, name] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(pathname) ?? [];
  if (path === undefined || name === undefined) return new Response('{}');
  const repository = parseReference(path);
  try {
    return kind === 'manifests'
      ? await manifest(registry, repository, { name, signal: request.signal })
      : await blob(registry, repository, { name, request });
  } catch (error) {
    const code = kindOf(error) === 'not-found' ? 'MANIFEST_UNKNOWN' : 'UNKNOWN';
    return Response.json({ errors: [{ code, message: messageOf(error) }] }, { status: 404 });
  }
}

async function manifest(
  registry: FakeRegistry,
  repository: Reference,
  { name, signal }: { name: string; signal: AbortSignal },
): Promise<Response> {
  const isDigest = name.startsWith('sha256:');
  const reference = isDigest ? { ...repository, digest: parseDigest(name) } : { ...repository, tag: name };
  const { bytes, descriptor } = await registry.manifest(reference, { signal });
  return new Response(bytes as Uint8Array<ArrayBuffer>, {
    headers: { 'content-type': descriptor.mediaType, 'docker-content-digest': descriptor.digest },
  });
}

async function blob(
  registry: FakeRegistry,
  repository: Reference,
  { name, request }: { name: string; request: Request },
): Promise<Response> {
  const start = Number(/^bytes=(\d+)-/.exec(request.headers.get('range') ?? '')?.[1] ?? 0);
  const found = await registry.blob(repository, parseDigest(name), { signal: request.signal, start });
  const size = registry.blobSize(parseDigest(name));
  const headers = start === 0 ? {} : { 'content-range': `bytes ${start}-${size - 1}/${size}` };
  return new Response(found.body, { status: start === 0 ? 200 : 206, headers });
}
