import { EngineError } from '../../errors/engine-error.ts';
import type { ApiRequest } from '../api-request.ts';
import type { ApiResponse } from '../api-response.ts';
import type { Route } from '../router.ts';
import type { Backends } from '../server-options.ts';

const PROTOCOL = 'h2c';

/** BuildKit's own protocol on connections of this API: the client calls (`/grpc`), or serves what its build needs (`/session`). */
export function buildkitRoutes(backends: Backends): Route[] {
  return [
    { method: 'POST', pattern: '/grpc', handler: (request, response) => calls(backends, request, response) },
    {
      method: 'POST',
      pattern: '/session',
      handler: (request, response) => session(backends, request, response),
    },
  ];
}

async function calls({ buildkit }: Backends, request: ApiRequest, response: ApiResponse): Promise<void> {
  checkUpgrade(request);
  const socket = response.switchProtocol(PROTOCOL);
  buildkit.acceptCalls(socket);
  await gone(request.signal);
  socket.destroy();
}

async function session({ buildkit }: Backends, request: ApiRequest, response: ApiResponse): Promise<void> {
  checkUpgrade(request);
  const socket = response.switchProtocol(PROTOCOL);
  const onAbort = (): void => void socket.destroy();
  request.signal.addEventListener('abort', onAbort, { once: true });
  try {
    await buildkit.acceptSession(socket, request.headers);
  } finally {
    socket.destroy();
  }
}

/** @throws EngineError "invalid", in Docker's words, on another protocol, or none. */
function checkUpgrade({ headers: { upgrade } }: ApiRequest): void {
  if (upgrade === undefined) throw new EngineError('invalid', 'no upgrade proto in request');
  if (upgrade.toLowerCase() !== PROTOCOL)
    throw new EngineError('invalid', `protocol ${upgrade} not supported`);
}

async function gone(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
