import { EngineError } from '../errors/engine-error.ts';

/** The oldest API version that is served. */
export const MIN_API_VERSION = '1.24';
/** The newest API version that is served and announced. */
export const API_VERSION = '1.51';

/** An API version; only minor numbers have ever changed. */
export interface ApiVersion {
  major: number;
  minor: number;
}

/** `1.51` → its numbers; undefined when `text` is not a version. */
export function parseApiVersion(text: string): ApiVersion | undefined {
  const match = /^(\d{1,9})\.(\d{1,9})$/.exec(text);
  return match === null ? undefined : { major: Number(match[1]), minor: Number(match[2]) };
}

/** Negative, 0 or positive as `a` is older than, equal to or newer than `b`. Both are versions as text. */
export function compareApiVersions(a: string, b: string): number {
  const left = parseApiVersion(a) ?? { major: 0, minor: 0 };
  const right = parseApiVersion(b) ?? { major: 0, minor: 0 };
  return left.major - right.major || left.minor - right.minor;
}

/**
 * Check a version that a client asks for, in Docker's words.
 *
 * @throws EngineError "invalid" outside MIN_API_VERSION … API_VERSION.
 */
export function checkApiVersion(version: string): void {
  if (compareApiVersions(version, MIN_API_VERSION) < 0)
    throw new EngineError(
      'invalid',
      `client version ${version} is too old. Minimum supported API version is ${MIN_API_VERSION}, please upgrade your client to a newer version`,
    );
  if (compareApiVersions(version, API_VERSION) > 0)
    throw new EngineError(
      'invalid',
      `client version ${version} is too new. Maximum supported API version is ${API_VERSION}`,
    );
}
