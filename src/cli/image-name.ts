import {
  familiarName,
  familiarRepository,
  parseReference,
  repositoryName,
  withDefaultTag,
} from '../oci/reference.ts';

/** An image's name in its parts, as the user wrote it and as the registry knows it. */
export interface ImageName {
  /** Short where the hub's own: `busybox:latest`. */
  familiar: string;
  /** Whole repository, `docker.io/library/busybox`. */
  repository: string;
  /** Short repository, `busybox`. */
  familiarRepository: string;
  /** Undefined when none was written. */
  tag: string | undefined;
  digest: string | undefined;
  /** The registry's host. */
  domain: string;
}

/**
 * Read an image's name.
 *
 * @throws EngineError "invalid" in Docker's words.
 */
export function readImageName(text: string): ImageName {
  const reference = parseReference(text);
  return {
    familiar: familiarName(withDefaultTag(reference)),
    repository: repositoryName(reference),
    familiarRepository: familiarRepository(reference),
    tag: reference.tag,
    digest: reference.digest,
    domain: reference.domain,
  };
}
