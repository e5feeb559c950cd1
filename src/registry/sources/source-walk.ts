import { EngineError, messageOf } from '../../errors/engine-error.ts';
import type { Logger } from '../../errors/logger.ts';
import type { RegistryConfig } from '../client/registry-client.ts';
import { dialWithin } from '../transport/dial.ts';
import { proxyFor } from '../transport/proxy-choice.ts';
import { RegistryResponseError } from '../transport/response-errors.ts';
import type { SourceMemory } from './source-memory.ts';
import type { Endpoint } from './sources.ts';

/** One question, put to one source. */
export type Ask<T> = (source: Endpoint, options: { headMs: number }) => Promise<T>;

export interface Walk {
  sources: readonly Endpoint[];
  /** For the log: the image asked for. */
  name: string;
  repository: string;
  memory: SourceMemory;
  logger: Logger;
  timing: { mirrorHeadMs: number; originHeadMs: number };
  proxy: RegistryConfig['proxy'];
  signal: AbortSignal;
}

/**
 * Ask the sources one after the other until one answers. A mirror's failure is logged and passed over; the origin's word is final,
 * unless it could not be reached: then another scheme, or a mirror that was put last, may still help.
 *
 * @throws the origin's error; of an origin that may speak two schemes, that of the last. EngineError "unavailable" where there is nobody to ask.
 */
export async function walkSources<T>(walk: Walk, ask: Ask<T>): Promise<T> {
  let failure: unknown;
  const passedOver: string[] = [];
  for (const [index, source] of walk.sources.entries()) {
    if ((await source.isOffered?.()) === false) continue;
    const mayFallBack = source.mirror || hasOtherOrigin(walk.sources.slice(index + 1));
    const headMs = mayFallBack ? walk.timing.mirrorHeadMs : walk.timing.originHeadMs;
    try {
      // A proxy's way can't be tried beforehand.
      if (proxyFor(new URL(source.trust.origin), walk.proxy) === undefined)
        await dialWithin(source, walk.signal);
      const answer = await ask(source, { headMs });
      walk.memory.answered(source);
      return answer;
    } catch (error) {
      walk.signal.throwIfAborted();
      if (source.mirror) {
        noteMirror(walk, source, error);
        passedOver.push(`${source.baseUrl} (${messageOf(error)})`);
        failure ??= error;
      } else {
        failure = error;
        if (!isUnreachable(error)) throw error;
      }
    }
  }
  throw withMirrors(failure ?? nobodyToAsk(walk), passedOver);
}

function nobodyToAsk({ name }: Walk): EngineError {
  return new EngineError('unavailable', `Cannot ask for ${name}: no host of its hosts.toml may be asked`, {
    code: 'registry-unreachable',
  });
}

/** An origin out of reach says nothing about the mirrors, which somebody set up because it is. */
function withMirrors(failure: unknown, passedOver: string[]): unknown {
  if (!(failure instanceof EngineError) || failure instanceof RegistryResponseError) return failure;
  if (passedOver.length === 0) return failure;
  return new EngineError(failure.kind, failure.message, {
    ...(failure.code === undefined ? {} : { code: failure.code }),
    hint: `Mirrors were asked too: ${passedOver.join('; ')}.`,
    cause: failure.cause,
  });
}

/** No HTTP answer at all: nobody there, or nobody who speaks this scheme. */
function isUnreachable(error: unknown): boolean {
  return (
    error instanceof EngineError &&
    !(error instanceof RegistryResponseError) &&
    error.code === 'registry-unreachable'
  );
}

function hasOtherOrigin(rest: readonly Endpoint[]): boolean {
  return rest.some(({ mirror, isOffered }) => !mirror && isOffered === undefined);
}

/** That it hasn't got an image is no news; everything else is a warning, once for as long as it is remembered. */
function noteMirror(walk: Walk, source: Endpoint, error: unknown): void {
  const fields = { mirror: source.baseUrl, image: walk.name, reason: messageOf(error) };
  const status = error instanceof RegistryResponseError ? error.status : undefined;
  if (status === 404)
    return walk.logger.debug('mirror has not got the image, asking the next source', fields);
  const refusedThisOne = status === 401 || status === 403;
  const isNews = refusedThisOne ? walk.memory.refused(source, walk.repository) : walk.memory.failed(source);
  if (isNews) walk.logger.warn('mirror failed, asking the next source', fields);
  else walk.logger.debug('mirror failed again, asking the next source', fields);
}
