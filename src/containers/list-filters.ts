import { EngineError } from '../errors/engine-error.ts';
import type { ContainerView } from './container.ts';

type Test = (container: ContainerView) => boolean;

/** What a filter may need to look up: other containers (before, since) and images (ancestor). */
export interface FilterContext {
  container(nameOrId: string): { createdNano: bigint };
  /** IDs of the image and of everything that the user could mean by it; empty: no such image. */
  imageIds(name: string): Promise<ReadonlySet<string>>;
}

const STATUSES = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'];

/** Docker's filters of `GET /containers/json`: values of one key are alternatives, keys must all hold (each `label` must). */
export async function compileFilters(
  filters: ReadonlyMap<string, string[]>,
  context: FilterContext,
): Promise<Test> {
  const tests: Test[] = [];
  for (const [key, values] of filters) {
    if (values.length === 0) continue;
    const compiled = await Promise.all(values.map((value) => compile({ key, value, context })));
    tests.push(
      key === 'label'
        ? (container) => compiled.every((test) => test(container))
        : (container) => compiled.some((test) => test(container)),
    );
  }
  return (container) => tests.every((test) => test(container));
}

async function compile({
  key,
  value,
  context,
}: {
  key: string;
  value: string;
  context: FilterContext;
}): Promise<Test> {
  switch (key) {
    case 'id':
      return ({ id }) => id.startsWith(value);
    case 'name':
      return nameTest(value);
    case 'label':
      return labelTest(value);
    case 'status':
      if (!STATUSES.includes(value)) throw badState(value);
      return ({ state }) => state.status === value;
    case 'exited':
      return exitedTest(value);
    case 'before':
    case 'since':
      return ageTest(key, context.container(value).createdNano);
    case 'ancestor': {
      const ids = await context.imageIds(value);
      return ({ image }) => ids.has(image.id) || ids.has(image.manifestDigest) || ids.has(image.configDigest);
    }
    case 'network':
      return ({ endpoints }) =>
        endpoints.some(
          ({ networkName, networkId }) =>
            networkName === value || (networkId !== '' && networkId.startsWith(value)),
        );
    case 'volume':
      return ({ mounts }) =>
        mounts.some((mount) => mount.name === value || mount.destination === value || mount.source === value);
    case 'health':
      return () => value === 'none';
    case 'is-task':
      return () => value === 'false' || value === '0';
    case 'publish':
      return () => false;
    case 'expose':
      return ({ config }) =>
        config.exposedPorts.some((port) => port === value || port.split('/')[0] === value);
    case 'isolation':
      return () => value === '' || value === 'default';
    default:
      throw new EngineError('invalid', `invalid filter '${key}'`);
  }
}

/** Docker takes a name filter as an expression over `/name` and over `name`. */
function nameTest(value: string): Test {
  let expression: RegExp;
  try {
    expression = new RegExp(value);
  } catch {
    throw new EngineError('invalid', `invalid filter 'name=${value}': not a regular expression`);
  }
  return ({ name }) => expression.test(name) || expression.test(`/${name}`);
}

function labelTest(value: string): Test {
  const at = value.indexOf('=');
  if (at < 0) return ({ config }) => Object.hasOwn(config.labels, value);
  return ({ config }) =>
    Object.hasOwn(config.labels, value.slice(0, at)) &&
    config.labels[value.slice(0, at)] === value.slice(at + 1);
}

function exitedTest(value: string): Test {
  if (!/^-?\d+$/.test(value)) throw new EngineError('invalid', `invalid filter 'exited=${value}'`);
  return ({ state }) => state.status === 'exited' && state.exitCode === Number(value);
}

function ageTest(key: 'before' | 'since', reference: bigint): Test {
  return key === 'before'
    ? ({ createdNano }) => createdNano < reference
    : ({ createdNano }) => createdNano > reference;
}

function badState(value: string): EngineError {
  return new EngineError(
    'invalid',
    `invalid filter 'status=${value}': invalid value for state (${value}): must be one of ${STATUSES.join(', ')}`,
  );
}
