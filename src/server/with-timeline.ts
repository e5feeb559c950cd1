import { Timeline } from '../sys/timeline.ts';
import { encodeServerTiming, TIMING_HEADER } from '../wire/server-timing.ts';
import type { ApiRequest } from './api-request.ts';
import type { ApiResponse } from './api-response.ts';

/** Work on a request, with a timeline where its client wants to know where the time goes; the answer tells then. */
export async function withTimeline<T>(
  request: ApiRequest,
  response: ApiResponse,
  work: (timeline: Timeline | undefined) => Promise<T>,
): Promise<T> {
  if (request.headers[TIMING_HEADER] === undefined) return await work(undefined);
  const timeline = new Timeline();
  try {
    return await work(timeline);
  } finally {
    response.header('Server-Timing', encodeServerTiming(timeline.end()));
  }
}
