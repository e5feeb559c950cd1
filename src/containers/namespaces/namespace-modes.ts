import type { HostOptions } from '../container.ts';

type Modes = Pick<HostOptions, 'networkMode' | 'pidMode' | 'ipcMode'>;

const JOINING = 'container:';

/** The container that a mode names: `container:<name or id>`. Undefined: the mode is another one. */
export function ownerOf(mode: string): string | undefined {
  return mode.startsWith(JOINING) ? mode.slice(JOINING.length) : undefined;
}

export function joining(owner: string): string {
  return JOINING + owner;
}

/** Ids of the containers whose namespaces one joins. */
export function namespaceOwners({ networkMode, pidMode, ipcMode }: Modes): string[] {
  const owners = [networkMode, pidMode, ipcMode].map(ownerOf).filter((owner) => owner !== undefined);
  return [...new Set(owners)];
}
