import type { RuntimeInfo } from '../../runtime/runtime.ts';
import { defaultMaskedPaths, defaultReadonlyPaths } from '../../runtime/spec/build-spec.ts';
import type { HostOptions } from '../container.ts';
import { type ContainerDefaults, plainDefaults } from './container-defaults.ts';

/** What of the engine decides where a user has not. */
export type EngineFacts = Pick<RuntimeInfo, 'name' | 'cgroupVersion'>;

/**
 * What was asked for, with Docker's answer where nothing was: as a container is made, so `inspect` shows it, whatever the defaults
 * of a later daemon are.
 */
export function effectiveOptions(
  asked: HostOptions,
  engine: EngineFacts,
  defaults: ContainerDefaults = plainDefaults,
): HostOptions {
  const hidden = !asked.privileged;
  const named = new Set(asked.ulimits.map(({ name }) => name));
  return {
    ...asked,
    cgroupnsMode:
      asked.cgroupnsMode || defaults.cgroupnsMode || (engine.cgroupVersion === '2' ? 'private' : 'host'),
    ipcMode: asked.ipcMode || defaults.ipcMode,
    shmSizeBytes: asked.shmSizeBytes || defaults.shmSizeBytes,
    ulimits: [...asked.ulimits, ...defaults.ulimits.filter(({ name }) => !named.has(name))],
    runtime: engine.name,
    securityOpt: sharesWithHost(asked) ? withoutLabel(asked.securityOpt) : asked.securityOpt,
    maskedPaths: asked.maskedPaths ?? (hidden ? [...defaultMaskedPaths] : undefined),
    readonlyPaths: asked.readonlyPaths ?? (hidden ? [...defaultReadonlyPaths] : undefined),
    restartPolicy: { ...asked.restartPolicy, name: asked.restartPolicy.name || 'no' },
    resources: effectiveResources(asked.resources),
  };
}

function effectiveResources(asked: HostOptions['resources']): HostOptions['resources'] {
  const doubled = asked.memoryBytes > 0n && asked.memorySwapBytes === 0n;
  return {
    ...asked,
    memorySwapBytes: doubled ? asked.memoryBytes * 2n : asked.memorySwapBytes,
    pidsLimit: Math.max(0, asked.pidsLimit),
  };
}

function sharesWithHost({ privileged, pidMode, ipcMode }: HostOptions): boolean {
  return privileged || pidMode === 'host' || ipcMode === 'host';
}

function withoutLabel(options: string[]): string[] {
  return options.includes('label=disable') ? options : [...options, 'label=disable'];
}
