import { expect, test } from 'bun:test';
import { EngineError } from '../../errors/engine-error.ts';
import type { ChainId } from '../../oci/digest.ts';
import { patience } from '../../sys/testing/patience.ts';
import { ErofsSnapshotter } from '../erofs/erofs-snapshotter.ts';
import { dir, file, type LayerMember, link, opaque, symlink, whiteout } from '../testing/layer-tar.ts';
import { SnapshotFixture } from '../testing/snapshot-fixture.ts';
import { type Listing, listMounted, listTree } from '../testing/tree-listing.ts';
import { OverlaySnapshotter } from './overlay-snapshotter.ts';

const rounds = 40;
let state = 20_260_711;

/** The same numbers at every run. */
function random(below: number): number {
  state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
  return (state >> 8) % below;
}

function pick<T>(...choices: T[]): T {
  return choices[random(choices.length)]!;
}

const path = (): string => Array.from({ length: 1 + random(3) }, () => pick('a', 'b', 'c', 'd')).join('/');

function member(): LayerMember {
  const xattrs = new Map(random(2) === 0 ? [] : [['user.t', Buffer.from(String(random(9)))] as const]);
  return pick(
    () => file(path(), `content ${random(1000)}`, { mode: pick(0o644, 0o4755, 0o600), uid: random(3) }),
    () => dir(path(), { mode: pick(0o755, 0o700, 0o2775), gid: random(3), xattrs }),
    () => symlink(path(), pick('/a', '../b', 'c', 'd/a')),
    () => link(path(), path()),
    () => whiteout(path()),
    () => opaque(path()),
  )();
}

/** The chain with the layer on it; undefined where the layer is refused. */
async function grown(
  fixture: SnapshotFixture,
  layer: LayerMember[],
  on?: ChainId,
): Promise<ChainId | undefined> {
  try {
    return (await fixture.layer(layer, on)).chainId;
  } catch (error) {
    if (error instanceof EngineError && error.kind === 'invalid') return undefined;
    throw error;
  }
}

/** A root that no member describes takes its time from the mount. */
function withoutRootTime(listing: Listing): Listing {
  return { ...listing, '/': { ...(listing['/'] as object), mtimeSeconds: 0, mtimeNanoseconds: 0 } };
}

test(
  'any layers: the tree, the mount and the EROFS index say the same',
  async () => {
    let compared = 0;
    for (let round = 0; round < rounds; round++) {
      await using overlay = await SnapshotFixture.open((root) => new OverlaySnapshotter(root));
      await using erofs = await SnapshotFixture.open((root) => new ErofsSnapshotter({ root }));
      let tops: [ChainId, ChainId] | undefined;
      for (let layers = 0; layers < 3; layers++) {
        const layer = Array.from({ length: 1 + random(6) }, member);
        const [one, two] = [await grown(overlay, layer, tops?.[0]), await grown(erofs, layer, tops?.[1])];
        if (one !== undefined && two !== undefined) tops = [one, two];
        // Some links that lead nowhere are refused by one only.
        else if (one !== two) break;
      }
      if (tops === undefined) continue;
      const listing = withoutRootTime(await listTree(await overlay.store.tree(tops[0])));
      expect(withoutRootTime(await listTree(await erofs.store.tree(tops[1])))).toEqual(listing);
      expect(withoutRootTime(listMounted(await overlay.mounted('k', tops[0])))).toEqual(listing);
      compared++;
    }
    expect(compared).toBeGreaterThan(rounds / 2);
  },
  120_000 * patience,
);
