import { EngineError } from '../../errors/engine-error.ts';
import { goPatternOrNone } from '../../text/go-pattern.ts';
import { hasLabel } from '../../text/has-label.ts';
import type { ContainerView } from '../container.ts';

type Test = (container: ContainerView) => boolean;

/** What a filter may need to look up: other containers (before, since) and images (ancestor). */
export interface FilterContext {
  container(nameOrId: string): { createdNano: bigint };
  /** IDs of the image and of everything that the user could mean by it; empty: no such image. */
  imageIds(name: string): Promise<ReadonlySet<string>>;
}

const HEALTHS = ['none', 'starting', 'healthy', 'unhealthy'];
const BOOLEANS = ['1', 'true', '0', 'false'];
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
      return ({ config }) => hasLabel(config.labels, value);
    case 'status':
      if (!STATUSES.includes(value)) throw badValue('status', value, { what: 'state', known: STATUSES });
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
      if (!HEALTHS.includes(value)) throw badValue('health', value, { what: 'health', known: HEALTHS });
      return ({ state }) => (state.health?.status ?? 'none') === value;
    case 'is-task':
      if (!BOOLEANS.includes(value)) throw new EngineError('invalid', `invalid filter 'is-task=[${value}]'`);
      return () => value === 'false' || value === '0';
    case 'publish':
      return publishTest(value);
    case 'expose':
      return exposeTest(value);
    case 'isolation':
      // On Linux Docker looks at none.
      return () => true;
    default:
      throw new EngineError('invalid', `invalid filter '${key}'`);
  }
}

/** Docker takes a name filter as an expression over `/name` and over `name`; what is none fits nothing. */
function nameTest(value: string): Test {
  const expression = goPatternOrNone(value);
  if (expression === undefined) return () => false;
  return ({ name }) => expression.test(name) || expression.test(`/${name}`);
}

function exitedTest(value: string): Test {
  if (!/^-?\d+$/.test(value))
    throw new EngineError(
      'invalid',
      `invalid filter 'exited=${value}': strconv.Atoi: parsing ${JSON.stringify(value)}: invalid syntax`,
    );
  return ({ state }) => state.status === 'exited' && state.exitCode === Number(value);
}

function ageTest(key: 'before' | 'since', reference: bigint): Test {
  return key === 'before'
    ? ({ createdNano }) => createdNano < reference
    : ({ createdNano }) => createdNano > reference;
}

function badValue(key: string, value: string, of: { what: string; known: string[] }): EngineError {
  return new EngineError(
    'invalid',
    `invalid filter '${key}=${value}': invalid value for ${of.what} (${value}): must be one of ${of.known.join(', ')}`,
  );
}

/** Of containers that run: what is stopped exposes nothing. */
function exposeTest(value: string): Test {
  const { from, to, protocol } = parsePorts(value, 'expose');
  const isMeant = (exposed: string) => {
    const [port, of = 'tcp'] = exposed.split('/');
    return of === protocol && Number(port) >= from && Number(port) <= to;
  };
  return ({ state, config }) =>
    (state.status === 'running' || state.status === 'paused') && config.exposedPorts.some(isMeant);
}

/** By the port of the host, not the container's. */
function publishTest(value: string): Test {
  const { from, to, protocol } = parsePorts(value, 'publish');
  return ({ ports }) =>
    ports.some((port) => port.protocol === protocol && port.hostPort >= from && port.hostPort <= to);
}

/** `80`, `80-90`, either with `/udp`. @throws EngineError "invalid" in the words of Docker's parser. */
function parsePorts(value: string, key: string): { from: number; to: number; protocol: string } {
  const bad = (reason: string) =>
    new EngineError('invalid', `error while looking up for ${key} ${value}: ${reason}`);
  const [ports = '', protocol = ''] = value.split('/');
  if (ports === '') throw bad('Empty string specified for ports.');
  const at = ports.indexOf('-');
  const ends = at < 0 ? [ports, ports] : [ports.slice(0, at), ports.slice(at + 1)];
  const [from = 0, to = 0] = ends.map((text) => {
    const reason = /^\d+$/.test(text) ? 'value out of range' : 'invalid syntax';
    if (reason === 'invalid syntax' || Number(text) > 65535)
      throw bad(`strconv.ParseUint: parsing ${JSON.stringify(text)}: ${reason}`);
    return Number(text);
  });
  if (to < from) throw bad(`Invalid range specified for the Port: ${ports}`);
  return { from, to, protocol: protocol === '' ? 'tcp' : protocol.toLowerCase() };
}
