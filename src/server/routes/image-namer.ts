import type { ContainerView } from '../../containers/container.ts';
import type { Backends } from '../server-options.ts';

/** Shows a container's image by the name it was created from, unless that means another image by now; one look-up per name. */
export function imageNamer({ images }: Backends): (view: ContainerView) => Promise<string> {
  const ids = new Map<string, Promise<string | undefined>>();
  return async ({ config, image }) => {
    let id = ids.get(config.image);
    if (id === undefined) {
      id = images.get(config.image).then(
        (found) => found.id,
        () => undefined,
      );
      ids.set(config.image, id);
    }
    const current = await id;
    return current === image.id ? config.image : image.id;
  };
}
