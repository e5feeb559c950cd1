import type { ContainerConfig } from './container.ts';

/** The command line that runs: entrypoint, then cmd. */
export function commandOf(config: Pick<ContainerConfig, 'entrypoint' | 'cmd'>): string[] {
  return [...(config.entrypoint ?? []), ...(config.cmd ?? [])];
}
