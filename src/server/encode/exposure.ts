import type { Exposure } from '../../network/exposure/exposure.ts';
import type { PortExposure } from '../../wire/exposure.ts';

export function encodeExposure(row: Exposure): PortExposure {
  return {
    ContainerID: row.containerId,
    Container: row.containerName,
    Network: row.network,
    Protocol: row.protocol,
    ContainerPort: row.containerPort,
    Published: row.published,
    Address: row.address,
    Port: row.port,
    From: row.from,
    Reachable: row.reachable,
    Reason: row.reason,
  };
}
