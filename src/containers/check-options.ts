import { EngineError } from '../errors/engine-error.ts';
import type { HostOptions } from './container.ts';
import { ownerOf } from './namespace-modes.ts';

const IPC_MODES = ['', 'none', 'private', 'shareable', 'host'];

/** @throws EngineError "invalid" in Docker's words on a mode that nobody knows. */
export function checkIpcMode({ ipcMode }: Pick<HostOptions, 'ipcMode'>): void {
  if (!IPC_MODES.includes(ipcMode) && ownerOf(ipcMode) === undefined)
    throw new EngineError('invalid', `invalid IPC mode: ${ipcMode}`);
}

/** @throws EngineError "invalid" when another runtime than the daemon's is asked for. */
export function checkRuntimeName(asked: string, present: string): void {
  if (asked !== '' && asked !== present)
    throw new EngineError('invalid', `unknown or invalid runtime name: ${asked}`);
}
