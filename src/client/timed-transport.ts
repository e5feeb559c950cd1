import { parseServerTiming, type ServerTiming, TIMING_HEADER } from '../wire/server-timing.ts';
import type { ResponseHead, Transport, TransportRequest } from './transport.ts';

/** A call as its client saw it; times are of `performance.now()`. */
export interface TimedCall {
  method: string;
  /** With version and query. */
  path: string;
  startMs: number;
  /** The head of the answer was there, and of a whole answer its body. */
  endMs: number;
  /** Where the daemon spent the time, if it said so. */
  server: ServerTiming | undefined;
}

/** A transport that tells of each call, and asks the daemon where the time goes. */
export function timedTransport(transport: Transport, tell: (call: TimedCall) => void): Transport {
  const timed = async <T extends ResponseHead>(
    request: TransportRequest,
    call: (request: TransportRequest) => Promise<T>,
  ): Promise<T> => {
    const startMs = performance.now();
    const answer = await call({ ...request, headers: { ...request.headers, [TIMING_HEADER]: '1' } });
    const server = parseServerTiming(answer.header('server-timing') ?? '');
    tell({ method: request.method, path: request.path, startMs, endMs: performance.now(), server });
    return answer;
  };
  return {
    endpoint: transport.endpoint,
    request: (request) => timed(request, (asked) => transport.request(asked)),
    stream: (request) => timed(request, (asked) => transport.stream(asked)),
    hijack: (request) => timed(request, (asked) => transport.hijack(asked)),
    connectAhead: (count) => transport.connectAhead?.(count),
  };
}
