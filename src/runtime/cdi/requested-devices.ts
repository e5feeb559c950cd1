import { EngineError } from '../../errors/engine-error.ts';
import type { DeviceDriverRequest } from '../spec/hardware-options.ts';
import type { CdiRegistry } from './cdi-registry.ts';

const GPU = 'gpu';
/** What GPUs are called where their driver has written a specification. */
const GPU_KIND = 'nvidia.com/gpu';

/**
 * The names of the CDI devices that requests come to; GPUs are those of the one driver that has such.
 *
 * @throws EngineError "invalid" in Docker's words for what no driver here gives.
 */
export function requestedDevices(
  requests: readonly DeviceDriverRequest[],
  registry: Pick<CdiRegistry, 'knows'>,
): string[] {
  return requests.flatMap((request) => {
    if (request.driver === 'cdi') return request.ids;
    const wantsGpu = request.capabilities.some((set) => set.includes(GPU));
    const isKnownDriver = request.driver === '' || request.driver === 'nvidia';
    if (!wantsGpu || !isKnownDriver || !registry.knows(GPU_KIND)) throw noDriver(request);
    return gpuIds(request).map((id) => `${GPU_KIND}=${id}`);
  });
}

function gpuIds({ ids, count }: DeviceDriverRequest): string[] {
  if (ids.length > 0) return ids;
  return count < 0 ? ['all'] : Array.from({ length: count }, (_, index) => String(index));
}

function noDriver({ driver, capabilities }: DeviceDriverRequest): EngineError {
  const sets = capabilities.map((set) => `[${set.join(' ')}]`).join(' ');
  return new EngineError(
    'invalid',
    `could not select device driver ${JSON.stringify(driver)} with capabilities: [${sets}]`,
  );
}
