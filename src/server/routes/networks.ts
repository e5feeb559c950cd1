import { EngineError } from '../../errors/engine-error.ts';
import type { NetworkInfo } from '../../network/network-driver.ts';
import { parseFilters } from '../../wire/filters.ts';
import { pathParam } from '../api-request.ts';
import { encodeNetwork } from '../encode/network.ts';
import type { Route } from '../router.ts';
import type { Backends } from '../server-options.ts';
import { hasLabel } from './prune-containers.ts';

const PREDEFINED = new Set(['bridge', 'host', 'none']);

/** Networks: list and inspect of the predefined ones. */
export function networkRoutes({ networks, containers }: Backends): Route[] {
  const find = async (name: string) => {
    const network = await networks.get(name);
    if (network === undefined) throw new EngineError('not-found', `network ${name} not found`);
    return network;
  };
  return [
    {
      method: 'GET',
      pattern: '/networks',
      handler: async (request, response) => {
        const isWanted = networkFilter(parseFilters(request.query.get('filters')));
        const found = (await networks.list()).filter(isWanted);
        response.json(
          200,
          found.map((network) => encodeNetwork(network, [])),
        );
      },
    },
    {
      method: 'GET',
      pattern: '/networks/{}',
      handler: async (request, response) => {
        const network = await find(pathParam(request));
        const views = await containers.list({
          all: false,
          limit: undefined,
          size: false,
          filters: new Map(),
        });
        response.json(200, encodeNetwork(network, views));
      },
    },
    {
      method: 'DELETE',
      pattern: '/networks/{}',
      handler: async (request) => {
        const { name } = await find(pathParam(request));
        if (PREDEFINED.has(name))
          throw new EngineError('forbidden', `${name} is a pre-defined network and cannot be removed`);
        throw new EngineError('not-implemented', 'removing a network is not implemented yet');
      },
    },
  ];
}

type NetworkTest = (network: NetworkInfo, value: string) => boolean;

const FILTERS: Record<string, NetworkTest> = {
  name: (network, value) => network.name.includes(value),
  id: (network, value) => network.id.startsWith(value),
  driver: (network, value) => network.driver === value,
  scope: (network, value) => network.scope === value,
  type: (network, value) => PREDEFINED.has(network.name) === (value === 'builtin'),
  label: (network, value) => hasLabel(network.labels, value),
  dangling: () => true,
};

/** All filters must hold; of one filter's values any, but every label. */
function networkFilter(filters: ReadonlyMap<string, string[]>): (network: NetworkInfo) => boolean {
  const tests = [...filters].map(([name, values]): ((network: NetworkInfo) => boolean) => {
    const test = FILTERS[name];
    if (test === undefined) throw new EngineError('invalid', `invalid filter '${name}'`);
    if (values.length === 0) return () => true;
    return name === 'label'
      ? (network) => values.every((value) => test(network, value))
      : (network) => values.some((value) => test(network, value));
  });
  return (network) => tests.every((test) => test(network));
}
