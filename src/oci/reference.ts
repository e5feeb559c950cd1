import type { Digest } from './digest.ts';

/** A parsed image name. `docker.io/library/busybox:latest` for `busybox`. */
export interface Reference {
  /** Registry host, `docker.io` by default, with port where given. */
  domain: string;
  /** Repository path below the domain, `library/busybox`. */
  path: string;
  tag: string | undefined;
  digest: Digest | undefined;
}
