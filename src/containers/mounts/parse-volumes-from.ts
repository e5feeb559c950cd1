import { EngineError } from '../../errors/engine-error.ts';
import { isMode, isReadOnly, propagationOf } from './mount-mode.ts';

/** `container[:mode]` of `--volumes-from`. @throws EngineError "invalid" in Docker's words. */
export function parseVolumesFrom(text: string): { container: string; readOnly: boolean } {
  if (text === '') throw new EngineError('invalid', 'volumes-from specification cannot be an empty string');
  const at = text.indexOf(':');
  if (at < 0) return { container: text, readOnly: false };
  const mode = text.slice(at + 1);
  const takesOver = propagationOf(mode) !== undefined || mode.split(',').includes('nocopy');
  if (!isMode(mode) || takesOver) throw new EngineError('invalid', `invalid mode: ${mode}`);
  return { container: text.slice(0, at), readOnly: isReadOnly(mode) };
}
