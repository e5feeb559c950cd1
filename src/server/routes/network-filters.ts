import type { NetworkView } from '../../containers/network-backend.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { NetworkInfo } from '../../network/network-driver.ts';
import { parseTimeParameter } from '../../wire/time.ts';
import { hasLabel } from './prune-containers.ts';

const PREDEFINED = new Set(['bridge', 'host', 'none']);

type NetworkTest = (network: NetworkView, value: string) => boolean;

const FILTERS: Record<string, NetworkTest> = {
  name: (network, value) => network.name.includes(value),
  id: (network, value) => network.id.startsWith(value),
  driver: (network, value) => network.driver === value,
  scope: (network, value) => network.scope === value,
  type: (network, value) => PREDEFINED.has(network.name) === (value === 'builtin'),
  label: (network, value) => hasLabel(network.labels, value),
  dangling: ({ name, members }, value) =>
    (!PREDEFINED.has(name) && members.length === 0) === isTrue('dangling', value),
};

/** All filters must hold; of one filter's values any, but every label. @throws EngineError "invalid" in Docker's words. */
export function networkFilter(filters: ReadonlyMap<string, string[]>): (network: NetworkView) => boolean {
  const tests = [...filters].map(([name, values]): ((network: NetworkView) => boolean) => {
    const test = FILTERS[name];
    if (test === undefined) throw new EngineError('invalid', `invalid filter '${name}'`);
    for (const value of values) checkValue(name, value);
    if (values.length === 0) return () => true;
    return name === 'label'
      ? (network) => values.every((value) => test(network, value))
      : (network) => values.some((value) => test(network, value));
  });
  return (network) => tests.every((test) => test(network));
}

function checkValue(name: string, value: string): void {
  if (name === 'type' && value !== 'builtin' && value !== 'custom')
    throw new EngineError('invalid', `invalid filter: 'type'='${value}'`);
  if (name === 'dangling') isTrue(name, value);
}

const TRUE = ['true', '1', 't', 'T', 'TRUE', 'True'];
const FALSE = ['false', '0', 'f', 'F', 'FALSE', 'False'];

/** @throws EngineError "invalid" in Docker's words, which are Go's. */
export function checkBool(name: string, value: string): void {
  if (value === '' || TRUE.includes(value) || FALSE.includes(value)) return;
  const reason = `strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`;
  throw new EngineError('invalid', `invalid value for ${name}: ${value}: ${reason}`);
}

function isTrue(name: string, value: string): boolean {
  if (TRUE.includes(value)) return true;
  if (FALSE.includes(value)) return false;
  throw new EngineError(
    'invalid',
    `invalid value for filter '${name}', must be "true" (or "1"), or "false" (or "0")`,
  );
}

/** @throws EngineError "invalid" in Docker's words. */
export function pruneFilter(filters: ReadonlyMap<string, string[]>): (network: NetworkInfo) => boolean {
  for (const name of filters.keys())
    if (!['label', 'label!', 'until'].includes(name))
      throw new EngineError('invalid', `invalid filter '${name}'`);
  const until = untilOf(filters.get('until') ?? []);
  const wanted = filters.get('label') ?? [];
  const unwanted = filters.get('label!') ?? [];
  return ({ createdNano, labels }) =>
    (until === undefined || createdNano < until) &&
    wanted.every((label) => hasLabel(labels, label)) &&
    !unwanted.some((label) => hasLabel(labels, label));
}

function untilOf(values: readonly string[]): bigint | undefined {
  const [value] = values;
  if (value === undefined) return undefined;
  if (values.length > 1) throw new EngineError('invalid', 'more than one until filter specified');
  return parseTimeParameter(value);
}
