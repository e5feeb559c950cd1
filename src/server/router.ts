import type { ApiRequest } from './api-request.ts';
import type { ApiResponse } from './api-response.ts';

export type Handler = (request: ApiRequest, response: ApiResponse) => Promise<void> | void;

export interface Route {
  method: string;
  /** `/containers/{}/json`; `{}` is one piece of the path, `{*}` takes slashes too. */
  pattern: string;
  handler: Handler;
}

interface CompiledRoute {
  method: string;
  pattern: string;
  expression: RegExp;
  handler: Handler;
}

const VERSION_PREFIX = /^\/v([0-9.]+)(\/.*)$/;

/** `/v1.51/info` → its version and the rest; without prefix the version is undefined. */
export function splitVersion(path: string): { version: string | undefined; path: string } {
  const match = VERSION_PREFIX.exec(path);
  return match === null ? { version: undefined, path } : { version: match[1], path: match[2] ?? '/' };
}

/** Finds the handler for method and path. Where several patterns match, the first one given wins. */
export class Router {
  readonly #byNoun = new Map<string, CompiledRoute[]>();

  constructor(routes: readonly Route[]) {
    for (const { method, pattern, handler } of routes) {
      const noun = nounOf(pattern);
      const list = this.#byNoun.get(noun) ?? [];
      list.push({ method, pattern, expression: compile(pattern), handler });
      this.#byNoun.set(noun, list);
    }
  }

  /** The handler, its pattern and what that captured, percent-decoded; undefined where nothing matches. */
  find(method: string, path: string): { handler: Handler; pattern: string; params: string[] } | undefined {
    for (const route of this.#byNoun.get(nounOf(path)) ?? []) {
      if (route.method !== method && route.method !== '*') continue;
      const match = route.expression.exec(path);
      if (match === null) continue;
      const params = match.slice(1).map(decode);
      if (params.every((param) => param !== undefined))
        return { handler: route.handler, pattern: route.pattern, params };
    }
    return undefined;
  }
}

function nounOf(path: string): string {
  return path.split('/', 2)[1] ?? '';
}

function compile(pattern: string): RegExp {
  const source = pattern
    .replaceAll(/[.*+?^$()|[\]\\]/g, '\\$&')
    .replaceAll('{\\*}', '(.+)')
    .replaceAll('{}', '([^/]+)');
  return new RegExp(`^${source}$`);
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
