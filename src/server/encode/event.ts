import type { EngineEvent } from '../../events/event.ts';
import type { EventMessage } from '../../wire/system.ts';

/** One line of `GET /events`, with the fields of old that clients of API 1.51 and below still read. */
export function encodeEvent(event: EngineEvent): EventMessage {
  const { type, action, actorId, attributes, timeNano } = event;
  const from = attributes['image'];
  return {
    ...(type === 'container' || type === 'image' ? { status: action } : {}),
    ...((type === 'container' || type === 'image') && actorId !== '' ? { id: actorId } : {}),
    ...(type === 'container' && from !== undefined ? { from } : {}),
    Type: type,
    Action: action,
    Actor: { ID: actorId, Attributes: attributes },
    scope: 'local',
    time: Number(timeNano / 1_000_000_000n),
    timeNano,
  };
}
