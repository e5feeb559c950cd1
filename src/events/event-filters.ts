import { hasLabel } from '../text/has-label.ts';
import type { EngineEvent } from './event.ts';

export type EventTest = (event: EngineEvent) => boolean;

const ACTOR_TYPES = new Set([
  'container',
  'image',
  'network',
  'volume',
  'daemon',
  'builder',
  'plugin',
  'service',
  'node',
  'secret',
  'config',
]);

/** Docker's filters of `GET /events`: values of one key are alternatives (every `label` must hold), keys must all hold. Others say nothing. */
export function compileEventFilters(filters: ReadonlyMap<string, string[]>): EventTest {
  const tests: EventTest[] = [];
  for (const [key, values] of filters) {
    if (values.length === 0) continue;
    const compiled = values.map((value) => compile(key, value));
    tests.push(
      key === 'label'
        ? (event) => compiled.every((test) => test(event))
        : (event) => compiled.some((test) => test(event)),
    );
  }
  return (event) => tests.every((test) => test(event));
}

function compile(key: string, value: string): EventTest {
  if (key === 'event') return ({ action }) => action === value || action.startsWith(`${value}:`);
  if (key === 'type') return ({ type }) => type === value;
  if (key === 'scope') return () => value === 'local';
  if (key === 'label') return ({ attributes }) => hasLabel(attributes, value);
  if (key === 'image') return imageTest(value);
  if (ACTOR_TYPES.has(key)) return actorTest(key, value);
  // As Docker, which looks at no other.
  return () => true;
}

/** Docker takes the beginning of an id or of a name. */
function actorTest(type: string, value: string): EventTest {
  return ({ type: of, actorId, attributes }) =>
    of === type && (actorId.startsWith(value) || attributes['name']?.startsWith(value) === true);
}

/** Image filters also fit the events of containers on that image. */
function imageTest(value: string): EventTest {
  const fits = (name: string | undefined) =>
    name !== undefined && (name === value || name.split(':', 1)[0] === value);
  return ({ type, actorId, attributes }) =>
    type === 'image'
      ? actorId === value || fits(attributes['name']) || fits(actorId)
      : fits(attributes['image']);
}
