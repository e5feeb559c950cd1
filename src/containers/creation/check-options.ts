import { EngineError } from '../../errors/engine-error.ts';
import { parseSecurityOptions } from '../../runtime/spec/security-options.ts';
import type { HostOptions } from '../container.ts';
import { ownerOf } from '../namespaces/namespace-modes.ts';

const IPC_MODES = ['', 'none', 'private', 'shareable', 'host'];

/** @throws EngineError "invalid" in Docker's words on a mode that nobody knows. */
export function checkIpcMode({ ipcMode }: Pick<HostOptions, 'ipcMode'>): void {
  if (!IPC_MODES.includes(ipcMode) && ownerOf(ipcMode) === undefined)
    throw new EngineError('invalid', `invalid IPC mode: ${ipcMode}`);
}

/** What can't be had with ids of one's own. @throws EngineError "invalid" in Docker's words. */
export function checkRemapped({ privileged, networkMode, pidMode }: HostOptions): void {
  const reason = privileged
    ? 'privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running privileged mode'
    : networkMode === 'host'
      ? "cannot share the host's network namespace when user namespaces are enabled"
      : pidMode === 'host'
        ? 'cannot share the host PID namespace when user namespaces are enabled'
        : undefined;
  if (reason !== undefined) throw new EngineError('invalid', reason);
}

/** @throws EngineError "invalid" as `parseSecurityOptions`; a profile is read at the start. */
export function checkSecurityOptions({ securityOpt }: Pick<HostOptions, 'securityOpt'>): void {
  parseSecurityOptions(securityOpt.filter((option) => !/^seccomp[=:]/.test(option)));
}

/** Docker's names for its default, whatever program that is. */
const DEFAULT_RUNTIMES = ['', 'runc', 'io.containerd.runc.v2'];

/** @throws EngineError "invalid" when another runtime than the daemon's is asked for. */
export function checkRuntimeName(asked: string, present: string): void {
  if (!DEFAULT_RUNTIMES.includes(asked) && asked !== present)
    throw new EngineError('invalid', `unknown or invalid runtime name: ${asked}`);
}
