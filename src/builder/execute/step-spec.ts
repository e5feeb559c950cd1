import type { RuntimeSpec, SpecMount } from '../../runtime/runtime-spec.ts';
import { buildSpec } from '../../runtime/spec/build-spec.ts';
import { plainHostOptions } from '../../runtime/spec/plain-host-options.ts';
import type { SpecHostOptions, SpecInput } from '../../runtime/spec/spec-input.ts';
import type { IdMap } from '../../sys/id-map.ts';
import { descriptorPath } from '../../sys/namespace-child.ts';
import type { StepLimits } from '../build-request.ts';
import type { RunPorts } from './run-ports.ts';
import type { RunRequest } from './run-request.ts';

export interface StepSpecParts {
  id: string;
  rootDirectory: string;
  mounts: readonly SpecMount[];
  /** Variables of secrets and agents. */
  env: readonly string[];
  networkNamespace: string | undefined;
  /** Its ids on the host; undefined: the host's own. */
  idMap: IdMap | undefined;
  /** It is a person's. */
  terminal?: boolean;
}

/** The runtime spec of a RUN: a plain container's, but for what the step asks for. @throws EngineError "invalid" for an unknown user. */
export function stepSpec(
  { step, limits, network }: RunRequest,
  parts: StepSpecParts,
  { cgroups, logger, userNamespaces }: Pick<RunPorts, 'cgroups' | 'logger' | 'userNamespaces'>,
): RuntimeSpec {
  const isInsecure = step.security === 'insecure';
  const host: SpecHostOptions = {
    ...plainHostOptions,
    ...hostLimits(limits),
    privileged: isInsecure,
    networkMode: parts.networkNamespace === undefined ? 'host' : network,
  };
  const { spec, warnings } = buildSpec({
    containerId: parts.id,
    rootDirectory: parts.rootDirectory,
    process: {
      args: step.args,
      // A bare name takes the runtime's own variable away: a build has none of that name.
      env: ['HOSTNAME', ...step.proxyEnv, ...step.env, ...parts.env],
      workingDir: step.workdir,
      user: step.user,
      terminal: parts.terminal ?? false,
      hostname: step.hostname,
      domainname: '',
    },
    host: { ...host, networkMode: host.networkMode === 'host' ? 'host' : 'none' },
    binds: [],
    mounts: parts.mounts,
    namespacePaths: parts.networkNamespace === undefined ? {} : { network: parts.networkNamespace },
    userNamespace: userNamespaceOf(parts.idMap, userNamespaces),
    cgroupParent: cgroups.parent,
    cgroupDriver: cgroups.driver,
    cgroupVersion: cgroups.version,
  });
  for (const warning of warnings) logger.debug(warning);
  return spec;
}

function userNamespaceOf(
  map: IdMap | undefined,
  userNamespaces: RunPorts['userNamespaces'],
): SpecInput['userNamespace'] {
  return map === undefined ? undefined : { path: descriptorPath(userNamespaces.of(map)), map };
}

function hostLimits(
  limits: Partial<StepLimits>,
): Pick<SpecHostOptions, 'resources' | 'ulimits' | 'shmSizeBytes' | 'cgroupParent'> {
  return {
    shmSizeBytes: limits.shmSizeBytes ?? 0,
    ulimits: limits.ulimits ?? [],
    cgroupParent: limits.cgroupParent ?? '',
    resources: {
      ...plainHostOptions.resources,
      memoryBytes: limits.memoryBytes ?? 0n,
      memorySwapBytes: limits.memorySwapBytes ?? 0n,
      cpuShares: limits.cpuShares ?? 0,
      cpuPeriodUs: limits.cpuPeriod ?? 0,
      cpuQuotaUs: limits.cpuQuota ?? 0,
      cpusetCpus: limits.cpusetCpus ?? '',
      cpusetMems: limits.cpusetMems ?? '',
    },
  };
}
