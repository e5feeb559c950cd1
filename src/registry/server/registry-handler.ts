import { messageOf } from '../../errors/engine-error.ts';
import { type Logger, silentLogger } from '../../errors/logger.ts';
import { type AccessPolicy, admit, tokenEndpoint } from './access.ts';
import type { BlobBackend } from './blob-backend.ts';
import { blobEndpoint } from './blob-endpoint.ts';
import type { RegistryCall } from './call.ts';
import { catalogEndpoint, referrersEndpoint, tagsEndpoint } from './listing-endpoint.ts';
import { manifestEndpoint } from './manifest-endpoint.ts';
import { isNoSpace } from './no-space.ts';
import { type PublicAddressOptions, publicBase } from './public-address.ts';
import { RegistryRefusal } from './refusal.ts';
import { parseRoute, type Route } from './route.ts';
import { searchEndpoint, searchPing } from './search-endpoint.ts';
import type { UploadPace } from './upload-body.ts';
import { UploadEndpoint, type UploadLimits } from './upload-endpoint.ts';
import { refuseWebPages } from './web-page-guard.ts';

export interface RegistryHandlerOptions extends Partial<UploadLimits>, PublicAddressOptions {
  /** Answer with paths alone, which any proxy passes on unchanged. */
  relativeUrls?: boolean;
  /** Who sends a blob or manifest slower than this is cut off. */
  pace?: UploadPace;
  /**
   * Refuse whatever changes something. Whoever may write to a mirror decides what others run: a listener that every local user reaches should
   * be read-only, and be filled through the backend.
   */
  readOnly?: boolean;
  /** Undefined: nobody is asked who they are. */
  access?: AccessPolicy | undefined;
  /** How this registry names itself to its upstream: a request that bears the name has come round, and finds nothing here. */
  selfAgent?: string;
  logger?: Logger;
}

export interface RegistryVisitor {
  /** For the limit on wrong passwords. */
  address: string;
  /** The host that we listen on, where that is loopback without TLS: other names for it are then refused. */
  loopbackHost?: string | undefined;
}

export interface RegistryHandler {
  (request: Request, client?: RegistryVisitor): Promise<Response>;
  /** Give up uploads under way. */
  close(): Promise<void>;
}

const DEFAULT_LIMITS: UploadLimits = {
  maxBlobBytes: 2 ** 40,
  maxSessions: 500,
  idleMs: 15 * 60_000,
  crowdedIdleMs: 60_000,
};
const DEFAULT_PACE: UploadPace = { windowMs: 60_000, minBytes: 16 << 10 };
const READ_METHODS = new Set(['GET', 'HEAD']);

/**
 * An OCI distribution registry (specification 1.1) as a function from request to response: all endpoints, Docker's and OCI's
 * types, manifests kept byte for byte. Any HTTP server can be put in front.
 */
export function createRegistryHandler(
  backend: BlobBackend,
  options: RegistryHandlerOptions = {},
): RegistryHandler {
  const logger = options.logger ?? silentLogger;
  const uploads = new UploadEndpoint(backend, { ...DEFAULT_LIMITS, ...options });
  const { pace = DEFAULT_PACE } = options;
  const handle: (...args: Parameters<RegistryHandler>) => Promise<Response> = async (request, client) => {
    let response: Response;
    try {
      const url = urlOf(request);
      const route = parseRoute(url.pathname);
      if (options.selfAgent !== undefined && request.headers.get('user-agent') === options.selfAgent)
        throw new RegistryRefusal(404, 'NAME_UNKNOWN', 'this registry is its own upstream');
      const base = publicBase(request.headers, options);
      const { loopbackHost } = client ?? {};
      refuseWebPages(request.headers, { base, loopbackHost, publicUrl: options.publicUrl });
      const visit = { request, route, address: client?.address ?? '', base };
      const prefix = options.relativeUrls === true ? '' : base;
      const call = { backend, request, url, pace, locate: (path: string) => prefix + path };
      if (route.kind === 'token') response = await tokenEndpoint(options.access, visit);
      else {
        if (options.access !== undefined) await admit(options.access, visit);
        if (options.readOnly === true && !READ_METHODS.has(request.method))
          throw new RegistryRefusal(403, 'DENIED', 'this registry is read-only');
        response = await dispatch(call, { route, uploads });
      }
    } catch (error) {
      response = refusalFrom(error, request, logger).toResponse();
    }
    logger.debug('registry request', {
      method: request.method,
      path: URL.parse(request.url, 'http://registry')?.pathname.slice(0, 400),
      status: response.status,
    });
    response.headers.set('docker-distribution-api-version', 'registry/2.0');
    response.headers.set('x-content-type-options', 'nosniff');
    return response;
  };
  return Object.assign(handle, { close: () => uploads.close() });
}

/** A `Host` that is none makes the whole URL none. */
function urlOf(request: Request): URL {
  const url = URL.parse(request.url, 'http://registry');
  if (url === null) throw RegistryRefusal.notFound();
  return url;
}

async function dispatch(
  call: RegistryCall,
  { route, uploads }: { route: Route; uploads: UploadEndpoint },
): Promise<Response> {
  if (route.kind === 'manifest') return manifestEndpoint(call, route);
  if (route.kind === 'blob') return blobEndpoint(call, route);
  if (route.kind === 'uploads') return uploads.handle(call, route);
  if (!READ_METHODS.has(call.request.method)) throw RegistryRefusal.method('GET, HEAD');
  if (route.kind === 'tags') return tagsEndpoint(call, route.repository);
  if (route.kind === 'referrers') return referrersEndpoint(call, route);
  if (route.kind === 'catalog') return catalogEndpoint(call);
  if (route.kind === 'search') return searchEndpoint(call);
  if (route.kind === 'search-ping') return searchPing();
  return Response.json({});
}

function refusalFrom(error: unknown, request: Request, logger: Logger): RegistryRefusal {
  if (error instanceof RegistryRefusal) return error;
  // The client has gone: nobody reads the answer, and nothing is wrong here.
  if (request.signal.aborted) return new RegistryRefusal(400, 'BLOB_UPLOAD_INVALID', 'the request broke off');
  logger.error('embedded registry: request failed', { reason: messageOf(error) });
  if (isNoSpace(error)) return new RegistryRefusal(507, 'UNAVAILABLE', 'no space left on the registry');
  return new RegistryRefusal(500, 'UNKNOWN', 'unknown error');
}
