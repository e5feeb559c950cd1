import { snapshotterConformance } from '../testing/conformance.ts';
import { OverlaySnapshotter } from './overlay-snapshotter.ts';

snapshotterConformance('overlay', (root) => new OverlaySnapshotter(root));
