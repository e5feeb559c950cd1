import type { NetworkView } from '../../containers/networking/network-backend.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { NetworkInfo } from '../../network/network-driver.ts';
import { parseBool, parseBoolRefusal } from '../../text/parse-bool.ts';
import { checkFilterNames, type Filters, labelFilter, untilFilter } from '../../wire/filters.ts';

const PREDEFINED = new Set(['bridge', 'host', 'none']);

type NetworkTest = (network: NetworkView, value: string) => boolean;

const FILTERS: Record<string, NetworkTest> = {
  name: (network, value) => network.name.includes(value),
  id: (network, value) => network.id.startsWith(value),
  driver: (network, value) => network.driver === value,
  scope: (network, value) => network.scope === value,
  type: (network, value) => PREDEFINED.has(network.name) === (value === 'builtin'),
  dangling: ({ name, members }, value) =>
    (!PREDEFINED.has(name) && members.length === 0) === isTrue('dangling', value),
};

/** All filters must hold; of one filter's values any, but every label. @throws EngineError "invalid" in Docker's words. */
export function networkFilter(filters: Filters): (network: NetworkView) => boolean {
  checkFilterNames(filters, [...Object.keys(FILTERS), 'label']);
  const isLabelled = labelFilter(filters);
  const tests = [...filters].flatMap(([name, values]): ((network: NetworkView) => boolean)[] => {
    const test = FILTERS[name];
    if (test === undefined || values.length === 0) return [];
    for (const value of values) checkValue(name, value);
    return [(network) => values.some((value) => test(network, value))];
  });
  return (network) => isLabelled(network.labels) && tests.every((test) => test(network));
}

function checkValue(name: string, value: string): void {
  if (name === 'type' && value !== 'builtin' && value !== 'custom')
    throw new EngineError('invalid', `invalid filter: 'type'='${value}'`);
  if (name === 'dangling') isTrue(name, value);
}

/** @throws EngineError "invalid" in Docker's words, which are Go's. */
export function checkBool(name: string, value: string): void {
  if (value === '' || parseBool(value) !== undefined) return;
  throw new EngineError('invalid', `invalid value for ${name}: ${value}: ${parseBoolRefusal(value)}`);
}

function isTrue(name: string, value: string): boolean {
  const found = parseBool(value);
  if (found !== undefined) return found;
  throw new EngineError(
    'invalid',
    `invalid value for filter '${name}', must be "true" (or "1"), or "false" (or "0")`,
  );
}

/** @throws EngineError "invalid" in Docker's words. */
export function pruneFilter(filters: Filters): (network: NetworkInfo) => boolean {
  checkFilterNames(filters, ['label', 'label!', 'until']);
  const until = untilFilter(filters);
  const isLabelled = labelFilter(filters);
  return ({ createdNano, labels }) => (until === undefined || createdNano < until) && isLabelled(labels);
}
