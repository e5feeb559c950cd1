import type { SerializedError } from '../../errors/engine-error.ts';
import type { UnpackedLayer } from './layer-unpacker.ts';

/** What the unpacking child says at its end, in a file beside the layer. */
export interface UnpackReport {
  layer?: UnpackedLayer;
  error?: SerializedError;
}

/** ENOSPC: of the child where there was no room for what it had to say. */
export const noSpaceExitCode = 28;
