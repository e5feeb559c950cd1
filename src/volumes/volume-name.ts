import { randomBytes } from 'node:crypto';
import { EngineError } from '../errors/engine-error.ts';

/** Volume names become folders: nothing that leads elsewhere. */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
/** What a folder's name may be long. */
const MAX_LENGTH = 255;

export function isVolumeName(name: string): boolean {
  return NAME.test(name) && name.length <= MAX_LENGTH;
}

/** A name for a volume that nobody names. */
export function anonymousName(): string {
  return randomBytes(32).toString('hex');
}

/** @throws EngineError "invalid" in Docker's words. */
export function checkVolumeName(name: string): void {
  if (isVolumeName(name)) return;
  if (name.length === 1)
    throw new EngineError(
      'invalid',
      'volume name is too short, names should be at least two alphanumeric characters',
    );
  if (name.length > MAX_LENGTH)
    throw new EngineError('invalid', `volume name is longer than ${MAX_LENGTH} characters`);
  throw new EngineError(
    'invalid',
    `${JSON.stringify(name)} includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
  );
}
