import { EngineError } from '../../errors/engine-error.ts';
import { isLifelineId, type LifelineBeat } from '../../wire/lifeline.ts';
import { type ApiRequest, pathParam } from '../api-request.ts';
import type { ApiResponse } from '../api-response.ts';
import type { Route } from '../router.ts';
import type { Backends } from '../server-options.ts';

/** A peer that vanished without a word is noticed by what can't be sent to it. */
const BEAT_MS = 15_000;

/** Connections that containers and volumes hang on: this engine's own. */
export function lifelineRoutes(backends: Pick<Backends, 'lifelines'>): Route[] {
  return [
    {
      method: 'POST',
      pattern: '/lifelines/{}',
      handler: (request, response) => hold(backends, request, response),
    },
  ];
}

async function hold(
  { lifelines }: Pick<Backends, 'lifelines'>,
  request: ApiRequest,
  response: ApiResponse,
): Promise<void> {
  const id = pathParam(request);
  if (!isLifelineId(id))
    throw new EngineError('invalid', `invalid lifeline ${JSON.stringify(id)}: it must be 64 hex digits`);
  const { signal } = request;
  lifelines.hold(id, signal);
  const stream = response.stream(200, 'application/json');
  const beat = () => stream.writeJson({ ID: id } satisfies LifelineBeat).catch(() => undefined);
  await beat();
  // A client that doesn't read is still there: beats that it has no room for are left out.
  const timer = setInterval(() => {
    if (!stream.congested) void beat();
  }, BEAT_MS);
  await aborted(signal);
  clearInterval(timer);
  await stream.end();
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
