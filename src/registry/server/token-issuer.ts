import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** How long a token counts. Clients fetch another by themselves. */
export const TOKEN_SECONDS = 300;
const MAX_TOKEN_CHARS = 1024;

/** Who shows a token; undefined: somebody without a name. */
export interface TokenHolder {
  username: string | undefined;
}

/** Makes the tokens that this process takes. They are signed, say who and until when, and mean nothing to another process. */
export class TokenIssuer {
  readonly #key = randomBytes(32);

  issue(username: string | undefined, nowMs = Date.now()): string {
    const claims = {
      ...(username === undefined ? {} : { sub: username }),
      exp: nowMs + TOKEN_SECONDS * 1000,
    };
    const body = Buffer.from(JSON.stringify(claims)).toString('base64url');
    return `${body}.${this.#sign(body).toString('base64url')}`;
  }

  /** Undefined for one that was not made here, or is too old. */
  verify(token: string, nowMs = Date.now()): TokenHolder | undefined {
    const [body = '', signature = ''] = token.length > MAX_TOKEN_CHARS ? [] : token.split('.');
    const [given, expected] = [Buffer.from(signature, 'base64url'), this.#sign(body)];
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString('utf8')) as {
      sub?: string;
      exp: number;
    };
    return claims.exp > nowMs ? { username: claims.sub } : undefined;
  }

  #sign(body: string): Buffer {
    return createHmac('sha256', this.#key).update(body).digest();
  }
}
