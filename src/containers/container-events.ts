import type { EventSink } from '../events/event.ts';
import type { ContainerRecord } from './container-record.ts';

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
      ...record.config.labels,
      image: record.config.image,
      name: record.name,
      ...extra.attributes,
    },
    ...(extra.timeNano === undefined ? {} : { timeNano: extra.timeNano }),
  });
}
