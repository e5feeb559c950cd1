import { EngineError } from '../errors/engine-error.ts';
import type { ContainerConfig, HostOptions } from './container.ts';
import { ownerOf } from './namespace-modes.ts';

const IPC_MODES = ['', 'none', 'private', 'shareable', 'host'];

/**
 * What a user asks for must not be dropped unseen: options that would change what the container is, and are not built yet, fail its
 * creation. `asked` is the request as it came, before the image's defaults.
 *
 * @throws EngineError "not-implemented" naming the option; "invalid" in Docker's words on values that nobody knows.
 */
export function checkBuiltOptions(asked: ContainerConfig, host: HostOptions): void {
  if (!IPC_MODES.includes(host.ipcMode) && ownerOf(host.ipcMode) === undefined)
    throw new EngineError('invalid', `invalid IPC mode: ${host.ipcMode}`);
}

/** @throws EngineError "invalid" when another runtime than the daemon's is asked for. */
export function checkRuntimeName(asked: string, present: string): void {
  if (asked !== '' && asked !== present)
    throw new EngineError('invalid', `unknown or invalid runtime name: ${asked}`);
}

/** What is taken, kept and shown, and does nothing yet: told with the answer to a creation. */
export function warningsOf(asked: ContainerConfig): string[] {
  const test = asked.healthcheck?.test[0];
  if (test === undefined || test === 'NONE') return [];
  return ['Health checks are not run yet. The health check is kept, without effect.'];
}
