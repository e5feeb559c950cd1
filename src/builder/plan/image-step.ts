import { formatPlatform, type Platform } from '../../oci/platform.ts';
import type { DockerfileLines } from '../build-error.ts';
import type { BaseImage, ImageStep } from './build-step.ts';
import { digestOf } from './step-id.ts';

/** An image as it is. `name`: unless it is brought from a layout, for which BuildKit has a name of its own. */
export function imageStep(
  image: BaseImage,
  { name, lines, platform }: { name: string; lines: DockerfileLines | undefined; platform: Platform },
): ImageStep {
  const { layout } = image;
  return {
    kind: 'image',
    id: digestOf(['image', image.name, image.manifestDigest, formatPlatform(platform)]),
    name: layout === undefined ? name : `[context ${layout.context}] OCI load from client`,
    lines,
    platform,
    ignoreCache: false,
    image,
  };
}
