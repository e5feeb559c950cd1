import { EngineError } from '../../errors/engine-error.ts';
import { badDestination, checkMode, cleanPath, isMode, isReadOnly, propagationOf } from './mount-mode.ts';
import type { BindPoint } from './mount-point.ts';

/** `-v` with a name in front, or with none. */
export interface VolumeBind {
  type: 'volume';
  /** '' for one that nobody names. */
  name: string;
  destination: string;
  readWrite: boolean;
  mode: string;
  noCopy: boolean;
}

/**
 * One of `HostConfig.Binds`: `source:destination[:mode]`, or a destination alone.
 *
 * @throws EngineError "invalid" in Docker's words.
 */
export function parseBind(text: string): BindPoint | VolumeBind {
  const { source, target, mode } = sections(text);
  checkMode(mode);
  const isBind = source.startsWith('/');
  const fault = badBind(target, mode, isBind);
  if (text.includes('\0')) throw invalid(text);
  if (fault !== undefined)
    throw new EngineError(
      'invalid',
      `${invalid(text).message}: invalid mount config for type "${isBind ? 'bind' : 'volume'}": ${fault}`,
    );
  const placed = { destination: cleanPath(target), readWrite: !isReadOnly(mode), mode };
  if (!isBind) return { type: 'volume', name: source, ...placed, noCopy: mode.split(',').includes('nocopy') };
  return {
    type: 'bind',
    source: cleanPath(source),
    ...placed,
    propagation: propagationOf(mode) ?? 'rprivate',
    createSource: true,
    nonRecursive: false,
    readOnlyBelow: 'try',
  };
}

function sections(text: string): { source: string; target: string; mode: string } {
  const [first = '', second, third, ...more] = text.split(':');
  if (first === '' || more.length > 0) throw invalid(text);
  if (second === undefined) return { source: '', target: first, mode: '' };
  // `/path:ro`: a destination alone takes no mode. The same goes for nothing after the colon.
  if (third === undefined && isMode(second)) throw invalid(text);
  return { source: first, target: second, mode: third ?? '' };
}

function badBind(target: string, mode: string, isBind: boolean): string | undefined {
  if (isBind && mode.split(',').includes('nocopy')) return 'field VolumeOptions must not be specified';
  if (!isBind && propagationOf(mode) !== undefined) return 'field BindOptions must not be specified';
  return target === '' ? 'field Target must not be empty' : badDestination(target);
}

function invalid(text: string): EngineError {
  return new EngineError('invalid', `invalid volume specification: '${text}'`);
}
