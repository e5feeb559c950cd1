import { EngineError } from '../../errors/engine-error.ts';
import { type IdMap, type Ids, idsOnHost } from '../../sys/id-map.ts';
import type { RunPorts } from './run-ports.ts';
import type { RunRequest } from './run-request.ts';

/** The network that a step is on: its own word counts before the build's. */
export function stepNetwork({ step, network }: Pick<RunRequest, 'step' | 'network'>): string {
  return step.network === 'default' ? network : step.network;
}

/**
 * The ids that a step has on the host; undefined: the host's own. As with containers these go neither with the host's network nor with all of
 * root's power; who may build with those has been asked before.
 */
export function stepIds(request: RunRequest, { idMap }: Pick<RunPorts, 'idMap'>): IdMap | undefined {
  const isHosts = request.step.security === 'insecure' || stepNetwork(request) === 'host';
  return isHosts ? undefined : idMap;
}

/** Whom on the host a user of the step is. @throws EngineError "invalid" for one that it can't have. */
export function ownerOnHost(map: IdMap | undefined, ids: Ids): Ids {
  const onHost = map === undefined ? ids : idsOnHost(map, ids);
  if (onHost !== undefined) return onHost;
  throw new EngineError('invalid', `cannot map container ID ${ids.uid}:${ids.gid} to a host ID`);
}
