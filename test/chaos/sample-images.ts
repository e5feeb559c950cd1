import { existsSync, readFileSync } from 'node:fs';
import type { SeedRegistry } from '../support/engine/seed-registry.ts';
import { type MadeLayer, makeImage, makeLayer, noise, sha256 } from '../support/images/image-maker.ts';
import { directory, file, makeTar, symlink } from '../support/images/tar-maker.ts';
import { IMAGES } from './plan.ts';

const LAYER_BYTES = 600_000;
const LAYERS = 4;

/** What `sha256sum /data*` prints in a container of a whole image. */
export type Contents = ReadonlyMap<string, string>;

/** Images of several layers, some shared, whose content can be told from inside. */
export async function publishSampleImages(registry: SeedRegistry): Promise<Contents> {
  const contents = new Map<string, string>();
  const base = busyboxLayer();
  const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
  for (const [index, name] of IMAGES.entries()) {
    const sums: string[] = [];
    const layers = Array.from({ length: LAYERS }, (_, layer) => {
      // The first of these layers is in all images.
      const bytes = noise(LAYER_BYTES, layer === 0 ? 1 : 1 + layer + index * LAYERS);
      sums.push(`${sha256(bytes).slice('sha256:'.length)}  /data${layer}`);
      return makeLayer(makeTar([file(`data${layer}`, bytes)]));
    });
    const image = makeImage([base, ...layers], { platform: { os: 'linux', architecture } });
    await registry.publish({ repository: `library/${name}`, tag: 'latest' }, image);
    contents.set(name, `${sums.join('\n')}\n`);
  }
  return contents;
}

function busyboxLayer(): MadeLayer {
  const path = ['/usr/bin/busybox', '/bin/busybox'].find((candidate) => existsSync(candidate));
  if (path === undefined)
    throw new Error('Cannot find the static busybox. Install the package busybox-static.');
  const members = [
    directory('bin'),
    file('bin/busybox', new Uint8Array(readFileSync(path)), 0o755),
    symlink('bin/sh', 'busybox'),
    symlink('bin/sha256sum', 'busybox'),
  ];
  return makeLayer(makeTar(members));
}
