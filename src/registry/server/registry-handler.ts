import { messageOf } from '../../errors/engine-error.ts';
import { type Logger, silentLogger } from '../../errors/logger.ts';
import type { BlobBackend } from './blob-backend.ts';
import { blobEndpoint } from './blob-endpoint.ts';
import { catalogEndpoint, referrersEndpoint, tagsEndpoint } from './listing-endpoint.ts';
import { manifestEndpoint } from './manifest-endpoint.ts';
import { RegistryRefusal } from './refusal.ts';
import { parseRoute, type Route } from './route.ts';
import { UploadEndpoint, type UploadLimits } from './upload-endpoint.ts';

export interface RegistryHandlerOptions extends Partial<UploadLimits> {
  /**
   * Refuse whatever changes something. Whoever may write to a mirror decides what others run: a listener that every local user reaches should
   * be read-only, and be filled through the backend.
   */
  readOnly?: boolean;
  logger?: Logger;
}

export interface RegistryHandler {
  (request: Request): Promise<Response>;
  /** Give up uploads under way. */
  close(): Promise<void>;
}

const DEFAULT_LIMITS: UploadLimits = { maxBlobBytes: 2 ** 40, maxSessions: 500, idleMs: 15 * 60_000 };
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
  const handle = async (request: Request): Promise<Response> => {
    let response: Response;
    try {
      const url = new URL(request.url);
      const route = parseRoute(url.pathname);
      if (options.readOnly === true && !READ_METHODS.has(request.method))
        throw new RegistryRefusal(403, 'DENIED', 'this registry is read-only');
      response = await dispatch({ backend, uploads, request, url, route });
    } catch (error) {
      response = refusalFrom(error, request, logger).toResponse();
    }
    response.headers.set('docker-distribution-api-version', 'registry/2.0');
    return response;
  };
  return Object.assign(handle, { close: () => uploads.close() });
}

interface Call {
  backend: BlobBackend;
  uploads: UploadEndpoint;
  request: Request;
  url: URL;
  route: Route;
}

async function dispatch({ backend, uploads, request, url, route }: Call): Promise<Response> {
  if (route.kind === 'manifest') return manifestEndpoint(backend, request, route);
  if (route.kind === 'blob') return blobEndpoint(backend, request, route);
  if (route.kind === 'uploads') return uploads.handle(request, route);
  if (!READ_METHODS.has(request.method)) throw RegistryRefusal.method('GET, HEAD');
  if (route.kind === 'tags') return tagsEndpoint(backend, url, route.repository);
  if (route.kind === 'referrers') return referrersEndpoint(backend, url, route);
  if (route.kind === 'catalog') return catalogEndpoint(backend, url);
  return Response.json({});
}

function refusalFrom(error: unknown, request: Request, logger: Logger): RegistryRefusal {
  if (error instanceof RegistryRefusal) return error;
  // The client has gone: nobody reads the answer, and nothing is wrong here.
  if (request.signal.aborted) return new RegistryRefusal(400, 'BLOB_UPLOAD_INVALID', 'the request broke off');
  logger.error('embedded registry: request failed', { reason: messageOf(error) });
  return new RegistryRefusal(500, 'UNKNOWN', 'unknown error');
}
