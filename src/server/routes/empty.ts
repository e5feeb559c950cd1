import { EngineError } from '../../errors/engine-error.ts';
import { pathParam } from '../api-request.ts';
import type { Route } from '../router.ts';

/**
 * Things of which there are none: nothing here can make them yet. Lists are empty and look-ups find nothing, so that `docker inspect` goes on
 * to the next kind and `system prune` to its end.
 */
export function emptyRoutes(): Route[] {
  const answer = (method: string, pattern: string, body: unknown): Route => ({
    method,
    pattern,
    handler: (_request, response) => response.json(200, body),
  });
  const missing = (method: string, pattern: string, message: (name: string) => string): Route => ({
    method,
    pattern,
    handler: (request) => {
      throw new EngineError('not-found', message(pathParam(request)));
    },
  });
  const noPlugin = (name: string) => `plugin ${JSON.stringify(name)} not found`;
  return [answer('GET', '/plugins', []), missing('GET', '/plugins/{*}/json', noPlugin)];
}
