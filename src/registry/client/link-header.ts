import { EngineError } from '../../errors/engine-error.ts';
import type { TransportResponse } from '../transport/transport.ts';

const MAX_HEADER = 8192;

/**
 * Where `Link: <…>; rel="next"` leads (RFC 8288), or undefined where there is no next page.
 *
 * @throws EngineError "unavailable" where it leads to another host: nobody has asked that for anything.
 */
export function nextPage({ headers, url }: TransportResponse, origin: string): URL | undefined {
  const text = (headers.get('link') ?? '').slice(0, MAX_HEADER);
  const link = [...text.matchAll(/<([^>]*)>([^<]*)/g)].find(([, , parameters]) =>
    /;\s*rel\s*=\s*"?(?:[^";]*\s)?next(?:\s[^";]*)?"?\s*(?:[;,]|$)/i.test(parameters ?? ''),
  );
  if (link?.[1] === undefined) return undefined;
  const next = URL.parse(link[1], url.href);
  if (next?.origin === origin) return next;
  throw new EngineError('unavailable', "Cannot list: the registry's next page is on another host", {
    code: 'registry-unreachable',
  });
}
