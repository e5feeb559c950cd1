import type { EventSink } from '../events/event.ts';
import { eventLabels } from '../events/event-size.ts';
import type { Endpoint, NetworkInfo } from '../network/network-driver.ts';
import { volumePoints } from './mounts/mount-point.ts';
import type { ContainerRecord } from './record/container-record.ts';

/** Tell of a container, with Docker's attributes: image, name, its labels, and what the action brings. */
export function publishContainerEvent(
  events: EventSink,
  record: ContainerRecord,
  action: string,
  extra: { attributes?: Record<string, string>; timeNano?: bigint } = {},
): void {
  events.publish({
    type: 'container',
    action,
    actorId: record.id,
    attributes: {
      ...eventLabels(record.config.labels),
      image: record.config.image,
      name: record.name,
      ...extra.attributes,
    },
    ...(extra.timeNano === undefined ? {} : { timeNano: extra.timeNano }),
  });
}

/** Tell of a container's coming to a network, or its leaving. */
export function publishNetworkEvent(
  events: EventSink,
  action: 'connect' | 'disconnect',
  of: { container: string; network: Pick<NetworkInfo, 'id' | 'name' | 'driver'>; timeNano?: bigint },
): void {
  const { container, network, timeNano } = of;
  events.publish({
    type: 'network',
    action,
    actorId: network.id,
    attributes: { container, name: network.name, type: network.driver },
    ...(timeNano === undefined ? {} : { timeNano }),
  });
}

export function publishEndpointEvent(
  events: EventSink,
  action: 'connect' | 'disconnect',
  endpoint: Endpoint,
  timeNano?: bigint,
): void {
  const { containerId: container, networkId: id, networkName: name, networkDriver: driver } = endpoint;
  const time = timeNano === undefined ? {} : { timeNano };
  publishNetworkEvent(events, action, { container, network: { id, name, driver }, ...time });
}

/** Tell of a volume; what a container does with it names the container. */
export function publishVolumeEvent(
  events: EventSink,
  action: 'create' | 'mount' | 'unmount' | 'destroy',
  name: string,
  attributes: Record<string, string> = {},
): void {
  events.publish({ type: 'volume', action, actorId: name, attributes: { ...attributes, driver: 'local' } });
}

/** A start or an end tells of all that the container mounts. */
export function publishMountEvents(
  events: EventSink,
  action: 'mount' | 'unmount',
  record: Pick<ContainerRecord, 'id' | 'mounts'>,
): void {
  for (const { name, destination, readWrite } of volumePoints(record.mounts)) {
    const how = { destination, propagation: '', 'read/write': String(readWrite) };
    publishVolumeEvent(events, action, name, {
      container: record.id,
      ...(action === 'mount' ? how : {}),
    });
  }
}
