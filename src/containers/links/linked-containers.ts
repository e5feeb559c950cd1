import { writeFile } from 'node:fs/promises';
import { EngineError } from '../../errors/engine-error.ts';
import type { Endpoint } from '../../network/network-driver.ts';
import type { LiveContainer } from '../live-container.ts';
import { networkOfMode } from '../networking/container-networks.ts';
import { readOwnFile } from '../networking/own-file.ts';
import type { ContainerPaths } from '../record/container-paths.ts';
import type { ContainerRecord } from '../record/container-record.ts';
import type { ContainerIndex, ContainerStore } from '../record/container-store.ts';
import { linkEnvironment } from './link-environment.ts';

/** What a start makes of its container's links. */
export interface LinkedNames {
  env: string[];
  /** Lines of its hosts file. */
  hosts: string[];
}

type Containers = Pick<ContainerIndex<LiveContainer>, 'values'>;

const DEFAULT_BRIDGE = 'bridge';

/**
 * Containers that are linked, as they are now; what was removed since is passed over.
 *
 * @throws EngineError "internal" in Docker's words when one does not run, or is not on the default bridge.
 */
export function linkedNames(record: ContainerRecord, containers: Containers): LinkedNames {
  const names: LinkedNames = { env: [], hosts: [] };
  if (record.links.length === 0 || networkOfMode(record.host.networkMode) !== DEFAULT_BRIDGE) return names;
  for (const { id, alias } of record.links) {
    const linked = [...containers.values()].find((one) => one.id === id);
    if (linked === undefined) continue;
    const { config, name } = linked.record;
    if (linked.task === undefined)
      throw new EngineError(
        'internal',
        `Cannot link to a non running container: /${name} AS /${record.name}/${alias}`,
      );
    const address = addressOf(linked.task.endpoints);
    if (address === undefined)
      throw new EngineError(
        'internal',
        `Cannot link to /${name}, as it does not belong to the default network`,
      );
    const { env, exposedPorts } = config;
    names.env.push(...linkEnvironment({ alias, ownName: record.name, address, exposedPorts, env }));
    names.hosts.push(`${address}\t${hostNames(linked, alias)}`);
  }
  return names;
}

/** A container has started anew: those that have a link to it, and run, find it at its new address. In place, since the files are mounted. */
export async function followLinked(
  linked: LiveContainer,
  endpoints: readonly Endpoint[],
  { containers, paths }: { containers: Containers; paths: ContainerPaths },
): Promise<void> {
  const address = addressOf(endpoints);
  if (address === undefined) return;
  for (const parent of containers.values()) {
    const links = parent.record.links.filter(({ id }) => id === linked.id);
    if (links.length === 0 || parent.task === undefined) continue;
    const path = paths.hosts(parent.id);
    const text = await readOwnFile(path);
    if (text === undefined) continue;
    const wanted = links.reduce((lines, { alias }) => moved(lines, hostNames(linked, alias), address), text);
    if (wanted !== text) await writeFile(path, wanted);
  }
}

/** Forget a link, and its name in the container that has it. @throws EngineError "not-found" in Docker's words. */
export async function unlink(
  parent: LiveContainer,
  alias: string,
  { containers, paths, store }: { containers: Containers; paths: ContainerPaths; store: ContainerStore },
): Promise<void> {
  const link = parent.record.links.find((one) => one.alias === alias);
  if (link === undefined) throw new EngineError('not-found', `No such container: ${parent.name}/${alias}`);
  const { links } = parent.record;
  // A kill or an end may change the record while it is written: nothing but the links is put back.
  parent.record = { ...parent.record, links: links.filter((one) => one !== link) };
  try {
    await store.update(parent.record);
  } catch (error) {
    parent.record = { ...parent.record, links };
    throw error;
  }
  const linked = [...containers.values()].find(({ id }) => id === link.id);
  if (linked === undefined || parent.task === undefined) return;
  const path = paths.hosts(parent.id);
  const text = await readOwnFile(path);
  if (text === undefined) return;
  const left = text.split('\n').filter((line) => !line.endsWith(`\t${hostNames(linked, alias)}`));
  await writeFile(path, left.join('\n'));
}

/** `Links` of inspect: `/target:/own/alias`. */
export function linkTexts(record: ContainerRecord, nameOf: (id: string) => string | undefined): string[] {
  return record.links.flatMap(({ id, alias }) => {
    const name = nameOf(id);
    return name === undefined ? [] : [`/${name}:/${record.name}/${alias}`];
  });
}

/** By id, what containers are called in those that have a link to them: `/parent/alias`. */
export function linkNamesOf(records: readonly ContainerRecord[]): Map<string, string[]> {
  const names = new Map<string, string[]>();
  for (const { name, links } of records)
    for (const { id, alias } of links) names.set(id, [...(names.get(id) ?? []), `/${name}/${alias}`]);
  return names;
}

function moved(text: string, names: string, address: string): string {
  const lines = text.split('\n').map((line) => (line.endsWith(`\t${names}`) ? `${address}\t${names}` : line));
  return lines.join('\n');
}

function hostNames({ name, record }: LiveContainer, alias: string): string {
  return [...new Set([alias, record.config.hostname, name])].join(' ');
}

function addressOf(endpoints: readonly Endpoint[]): string | undefined {
  return endpoints.find(({ networkName }) => networkName === DEFAULT_BRIDGE)?.ipv4?.address;
}
