import { EngineError } from '../../errors/engine-error.ts';
import type { BindPoint } from './mount-point.ts';

const PASSED_ON = ['rslave', 'rshared'];

/**
 * A bind of the engine's data root, of what lies in it or of what it lies in: what is mounted and unmounted there later must be so in the
 * container too, or it would keep mounts alive that the engine has done away with.
 *
 * `asked`: the propagation that the user wants. @throws EngineError "invalid" in Docker's words for one that keeps them.
 */
export function nearOwnRoot(
  point: BindPoint,
  asked: string | undefined,
  dataRoot: string | undefined,
): BindPoint {
  const { source } = point;
  if (dataRoot === undefined || !(isWithin(source, dataRoot) || isWithin(dataRoot, source))) return point;
  if (asked === undefined) return { ...point, propagation: 'rslave', propagationImplied: true };
  if (PASSED_ON.includes(asked)) return point;
  const words = [dataRoot, source, asked].map((text) => JSON.stringify(text));
  throw new EngineError(
    'invalid',
    `invalid mount config: must use either propagation mode "rslave" or "rshared" when mount source is within the daemon root, daemon root: ${words[0]}, bind mount source: ${words[1]}, propagation: ${words[2]}`,
  );
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`);
}
