import { EngineError, messageOf } from '../../errors/engine-error.ts';
import { byPort } from '../../oci/port-text.ts';
import type { ContainerDependencies } from '../dependencies.ts';
import type { LiveContainer, LiveTask } from '../live-container.ts';
import type { ContainerRecord } from '../record/container-record.ts';
import { noteTask } from '../tasks/note-task.ts';
import { balancePorts } from './balance-ports.ts';
import type { PortBindingOption, PortBindings } from './port-binding.ts';
import { publishWanted } from './publish-ports.ts';

/** What an update publishes, and what it withdraws (first). */
export interface PortChange {
  add: PortBindings;
  /** null or empty: all there is of that port. */
  remove: PortBindings;
}

/** The record with the change in it. @throws EngineError "conflict", "not-found" for what is not published. */
export function withPorts(record: ContainerRecord, { add, remove }: PortChange): ContainerRecord {
  const { config, host } = record;
  if (host.networkMode === 'host' || host.networkMode.startsWith('container:'))
    throw new EngineError(
      'conflict',
      `a container in network mode "${host.networkMode}" has no ports of its own`,
    );
  let { exposedPorts } = config;
  const bindings: PortBindings = { ...host.portBindings };
  for (const [port, unwanted] of Object.entries(remove)) {
    const left = without(record, port, unwanted ?? []);
    if (left.length > 0) bindings[port] = left;
    else {
      delete bindings[port];
      // It would be given any port at the next start.
      if (host.publishAllPorts) exposedPorts = exposedPorts.filter((one) => one !== port);
    }
  }
  for (const [port, wanted] of Object.entries(add)) {
    const present = bindings[port] ?? [];
    const missing = (wanted ?? []).filter((one) => !present.some((other) => isSame(one, other)));
    bindings[port] = [...present, ...missing];
    if (!exposedPorts.includes(port)) exposedPorts = [...exposedPorts, port].toSorted(byPort);
  }
  return { ...record, config: { ...config, exposedPorts }, host: { ...host, portBindings: bindings } };
}

/** What is left of a port. */
function without(
  { name, config, host }: ContainerRecord,
  port: string,
  unwanted: readonly PortBindingOption[],
): PortBindingOption[] {
  const present = host.portBindings[port] ?? [];
  const isPublished =
    Object.hasOwn(host.portBindings, port) || (host.publishAllPorts && config.exposedPorts.includes(port));
  const absent = (what: string): EngineError =>
    new EngineError('not-found', `container ${name} does not publish ${what}`, {
      hint: 'What it publishes stands in HostConfig.PortBindings of inspect.',
    });
  if (!isPublished) throw absent(port);
  if (unwanted.length === 0) return [];
  for (const one of unwanted)
    if (!present.some((other) => isSame(one, other)))
      throw absent(`${port} on ${one.hostIp === '' ? '' : `${one.hostIp}:`}${one.hostPort}`);
  return present.filter((one) => !unwanted.some((other) => isSame(one, other)));
}

function isSame(one: PortBindingOption, other: PortBindingOption): boolean {
  const portOf = ({ hostPort }: PortBindingOption): string => (hostPort === '0' ? '' : hostPort);
  return one.hostIp === other.hostIp && portOf(one) === portOf(other);
}

/**
 * Bring what a running container publishes to what a record says: all, or nothing is changed.
 *
 * @throws EngineError "conflict" that names the port and who has it.
 */
export async function republishPorts(
  container: LiveContainer,
  task: LiveTask,
  {
    record,
    deps,
  }: { record: ContainerRecord; deps: Pick<ContainerDependencies, 'networks' | 'logger' | 'notes'> },
): Promise<void> {
  try {
    await publishWanted(record, task.endpoints, deps);
  } catch (error) {
    const hint = error instanceof EngineError ? error.hint : undefined;
    throw new EngineError('conflict', messageOf(error), {
      cause: error,
      ...(hint === undefined ? {} : { hint }),
    });
  }
  // It has ended meanwhile, and its ports had been withdrawn before these came.
  if (container.task !== task || task.exited) await deps.networks.ports.withdraw(container.id);
  else {
    await balancePorts(container, task, deps);
    noteTask(container, task, deps);
  }
}

/** At a restart of the daemon, whose predecessor may have died amid a change: the record tells what is published. */
export async function recallPorts(
  container: LiveContainer,
  deps: Pick<ContainerDependencies, 'networks' | 'logger' | 'notes'>,
): Promise<void> {
  const { task } = container;
  if (task === undefined) return;
  try {
    await republishPorts(container, task, { record: container.record, deps });
  } catch (error) {
    deps.logger.warn('Cannot publish the ports of a container that runs', {
      container: container.id,
      error: messageOf(error),
    });
  }
}
