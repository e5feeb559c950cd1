import { EngineError, errnoCodeOf, messageOf } from '../../errors/engine-error.ts';
import { CONNECT_TEXT } from './connect-text.ts';
import { SocksError } from './socks-connect.ts';

const CERTIFICATE_TEXT: Record<string, string> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'certificate signed by unknown authority',
  UNABLE_TO_GET_ISSUER_CERT: 'certificate signed by unknown authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'certificate signed by unknown authority',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'certificate signed by unknown authority',
  SELF_SIGNED_CERT_IN_CHAIN: 'certificate signed by unknown authority',
  CERT_HAS_EXPIRED: 'certificate has expired or is not yet valid',
  CERT_NOT_YET_VALID: 'certificate has expired or is not yet valid',
};

/** A request that got no answer, in the words that Docker's clients know from Go. `what`: `Get "http://host/v2/"`. */
export function unreachable(what: string, url: URL, error: unknown): EngineError {
  return new EngineError('unavailable', `${what}: ${reasonOf(url, error)}`, {
    code: 'registry-unreachable',
    // Not the error itself: fetch puts the whole URL into it, and with it any signature.
    cause: errnoCodeOf(error),
  });
}

/** No answer in time. */
export function headTimeout(what: string): EngineError {
  return new EngineError(
    'unavailable',
    `${what}: net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)`,
    { code: 'registry-unreachable' },
  );
}

/** An URL for messages: without user, password, query and fragment, any of which may be a secret. */
export function shownUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}

/** `Get`, `Head`, as Go writes a request's method in its errors. */
export function shownRequest(method: string, url: URL): string {
  return `${method[0] ?? ''}${method.slice(1).toLowerCase()} "${shownUrl(url)}"`;
}

/** Why a request got no answer, in words that Docker's clients know from Go. */
export function reasonOf(url: URL, error: unknown): string {
  if (error instanceof SocksError) return error.message;
  const code = errnoCodeOf(error) ?? '';
  const authority = url.port === '' ? `${url.host}:${url.protocol === 'https:' ? 443 : 80}` : url.host;
  const connect = CONNECT_TEXT[code];
  if (connect !== undefined) return `dial tcp ${authority}: ${connect}`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'EAI_NONAME')
    return `dial tcp: lookup ${url.hostname}: no such host`;
  if (code === 'EPROTO') return 'http: server gave HTTP response to HTTPS client';
  if (code === 'ECONNRESET') return 'read: connection reset by peer';
  const certificate = CERTIFICATE_TEXT[code];
  if (certificate !== undefined) return `tls: failed to verify certificate: x509: ${certificate}`;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `tls: failed to verify certificate: x509: certificate is not valid for ${url.hostname}`;
  return code === '' ? firstLine(messageOf(error)) : code;
}

/** A message of fetch's: one line, and no URL, since that may carry a password or a signature. */
function firstLine(text: string): string {
  return (text.split('\n', 1)[0] ?? '').replace(/\S*:\/\/\S*/g, '(URL)').slice(0, 200);
}
