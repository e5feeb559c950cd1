import { EngineError } from '../errors/engine-error.ts';
import type { ContainerConfig, HostOptions } from './container.ts';

/** What Docker's json-file takes. */
const LOG_OPTIONS = [
  'max-size',
  'max-file',
  'compress',
  'labels',
  'labels-regex',
  'env',
  'env-regex',
  'tag',
  'mode',
  'max-buffer-size',
];
const IPC_MODES = ['', 'none', 'private', 'shareable', 'host'];

/**
 * What a user asks for must not be dropped unseen: options that would change what the container is, and are not built yet, fail its
 * creation. `asked` is the request as it came, before the image's defaults.
 *
 * @throws EngineError "not-implemented" naming the option; "invalid" in Docker's words on values that nobody knows.
 */
export function checkBuiltOptions(asked: ContainerConfig, host: HostOptions): void {
  if (host.networkMode.startsWith('container:'))
    refuse(`Joining the network of another container (--network ${host.networkMode})`);
  if (host.pidMode.startsWith('container:'))
    refuse(`Joining the processes of another container (--pid ${host.pidMode})`);
  if (host.ipcMode.startsWith('container:'))
    refuse(`Joining the IPC namespace of another container (--ipc ${host.ipcMode})`);
  if (!IPC_MODES.includes(host.ipcMode))
    throw new EngineError('invalid', `invalid IPC mode: ${host.ipcMode}`);
  checkLogging(host.logConfig);
}

function checkLogging({ type, config }: HostOptions['logConfig']): void {
  if (!['json-file', 'none', ''].includes(type))
    throw new EngineError('not-implemented', `logger: no log driver named '${type}' is registered`);
  if (type === 'none') return;
  const unknown = Object.keys(config).find((name) => !LOG_OPTIONS.includes(name));
  if (unknown !== undefined)
    throw new EngineError('invalid', `unknown log opt '${unknown}' for json-file log driver`);
}

/** @throws EngineError "invalid" when another runtime than the daemon's is asked for. */
export function checkRuntimeName(asked: string, present: string): void {
  if (asked !== '' && asked !== present)
    throw new EngineError('invalid', `unknown or invalid runtime name: ${asked}`);
}

/** What is taken, kept and shown, and does nothing yet: told with the answer to a creation. */
export function warningsOf(host: HostOptions): string[] {
  const { type, config } = host.logConfig;
  if (type === 'none' || Object.keys(config).length === 0) return [];
  return [`Log options are without effect yet: ${Object.keys(config).join(', ')}`];
}

function refuse(what: string): never {
  throw new EngineError('not-implemented', `${what} is not implemented yet`);
}
