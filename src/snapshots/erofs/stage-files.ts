import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImpliedPlace } from './index-builder.ts';

/** What a finished EROFS stage says of itself, in `staged.json`. */
export interface StagedIndex {
  /** Bytes of the side file, 0 when there is none. */
  sideSize: number;
  implied: ImpliedPlace[];
  /** The layer's root directory is opaque. */
  hidesBelow: boolean;
}

export interface StageFiles {
  tar: string;
  side: string;
  index: string;
  staged: string;
}

export function stageFiles(directory: string): StageFiles {
  return {
    tar: join(directory, 'layer.tar'),
    side: join(directory, 'layer.side'),
    index: join(directory, 'index.erofs'),
    staged: join(directory, 'staged.json'),
  };
}

/** Our own file, written moments before by `openLayerSink`. */
export async function readStagedIndex(directory: string): Promise<StagedIndex> {
  return JSON.parse(await readFile(stageFiles(directory).staged, 'utf8')) as StagedIndex;
}
