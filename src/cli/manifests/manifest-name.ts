import { EngineError, messageOf } from '../../errors/engine-error.ts';
import { type ImageName, readImageName } from '../image-name.ts';

/** An image or a list by its whole name, as manifests are asked for and kept: `docker.io/library/busybox:latest`. */
export interface ManifestName extends ImageName {
  whole: string;
}

/** @throws EngineError "invalid" in Docker's words, after `prefix`. */
export function readManifestName(text: string, prefix = ''): ManifestName {
  try {
    const name = readImageName(text);
    return { ...name, whole: wholeName(name) };
  } catch (error) {
    throw new EngineError('invalid', `${prefix}${messageOf(error)}`, { cause: error });
  }
}

function wholeName({ repository, tag, digest }: ImageName): string {
  if (digest !== undefined) return `${repository}${tag === undefined ? '' : `:${tag}`}@${digest}`;
  return `${repository}:${tag ?? 'latest'}`;
}
