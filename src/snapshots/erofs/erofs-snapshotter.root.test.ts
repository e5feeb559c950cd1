import { snapshotterConformance } from '../testing/conformance.ts';
import { ErofsSnapshotter } from './erofs-snapshotter.ts';

snapshotterConformance('erofs', (root) => new ErofsSnapshotter({ root }));
snapshotterConformance('erofs by loop devices', (root) => new ErofsSnapshotter({ root, byLoop: true }));
