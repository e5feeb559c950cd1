/** How patient the client is; tests shorten it. All in milliseconds but the attempts. */
export interface RegistryTiming {
  /** From the request to the response's head, of a mirror: there is somebody else to ask. */
  mirrorHeadMs: number;
  /** The same of an origin. */
  originHeadMs: number;
  /** Between two chunks of a body. */
  stallMs: number;
  /** The same of a mirror. */
  mirrorStallMs: number;
  /** How long the registry's word on a tag is waited for when a mirror has given its own. */
  tagCheckMs: number;
  /** How long a folder of certs.d counts as unchanged. */
  certsFreshMs: number;
  /** How long a mirror that didn't answer is asked last. */
  deadMirrorMs: number;
  /** First pause before another attempt; doubles, with jitter. */
  retryBaseMs: number;
  retryMaxMs: number;
  /** The longest Retry-After that is waited for. */
  retryAfterMaxMs: number;
  manifestAttempts: number;
  blobAttempts: number;
}

export const defaultTiming: RegistryTiming = {
  mirrorHeadMs: 5_000,
  originHeadMs: 30_000,
  stallMs: 30_000,
  mirrorStallMs: 5_000,
  tagCheckMs: 1_000,
  certsFreshMs: 1_000,
  deadMirrorMs: 30_000,
  retryBaseMs: 500,
  retryMaxMs: 10_000,
  retryAfterMaxMs: 60_000,
  manifestAttempts: 3,
  blobAttempts: 5,
};
