import type { NetworkView } from '../../containers/networking/network-backend.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { NetworkInfo } from '../../network/network-driver.ts';
import { parseFilters } from '../../wire/filters.ts';
import { type ApiRequest, jsonBody, pathParam } from '../api-request.ts';
import type { ApiResponse } from '../api-response.ts';
import { decodeConnect, decodeDisconnect, decodeNetworkRequest } from '../decode/network-request.ts';
import { encodeExposure } from '../encode/exposure.ts';
import { encodeNetwork } from '../encode/network.ts';
import type { Route } from '../router.ts';
import type { Backends } from '../server-options.ts';
import { checkBool, networkFilter, pruneFilter } from './network-filters.ts';

/** Networks, and who is on them. */
export function networkRoutes({ networks }: Backends): Route[] {
  return [
    // The one path that has both spellings in Docker.
    ...['/networks', '/networks/'].map((pattern) => ({
      method: 'GET',
      pattern,
      handler: async (request: ApiRequest, response: ApiResponse) => {
        const isWanted = networkFilter(parseFilters(request.query.get('filters')));
        const found = (await networks.list()).filter(isWanted);
        response.json(
          200,
          found.map((network) => encodeNetwork(network, [])),
        );
      },
    })),
    {
      // Sampan's own; below /networks it would be somebody's network.
      method: 'GET',
      pattern: '/exposure',
      handler: async (_request, response) => {
        response.json(200, (await networks.exposure()).map(encodeExposure));
      },
    },
    {
      method: 'POST',
      pattern: '/networks/create',
      handler: async (request, response) => {
        const { id } = await networks.create(decodeNetworkRequest(await jsonBody(request)));
        response.json(201, { Id: id, Warning: '' });
      },
    },
    {
      method: 'POST',
      pattern: '/networks/prune',
      handler: async (request, response) => {
        const pruned = await networks.prune(pruneFilter(parseFilters(request.query.get('filters'))), request);
        response.json(200, { NetworksDeleted: pruned.length === 0 ? null : pruned });
      },
    },
    {
      method: 'GET',
      pattern: '/networks/{}',
      handler: async (request, response) => {
        // Docker's own networks of one machine have no more to tell when `verbose`.
        checkBool('verbose', request.query.get('verbose') ?? '');
        const scope = request.query.get('scope') ?? '';
        const network = await found(networks.get(pathParam(request)), pathParam(request));
        if (scope !== '' && scope !== network.scope) throw absent(pathParam(request));
        response.json(200, encodeNetwork(network, network.members));
      },
    },
    {
      method: 'DELETE',
      pattern: '/networks/{}',
      handler: async (request, response) => {
        await networks.remove(pathParam(request));
        response.empty(204);
      },
    },
    ...memberRoutes(networks),
  ];
}

function memberRoutes(networks: Backends['networks']): Route[] {
  return [
    {
      method: 'POST',
      pattern: '/networks/{}/connect',
      handler: async (request, response) => {
        const network = pathParam(request);
        const { container, settings } = decodeConnect(await jsonBody(request), network);
        await networks.connect(network, container, settings);
        response.empty(200);
      },
    },
    {
      method: 'POST',
      pattern: '/networks/{}/disconnect',
      handler: async (request, response) => {
        const { container, force } = decodeDisconnect(await jsonBody(request));
        await networks.disconnect(pathParam(request), container, { force });
        response.empty(200);
      },
    },
  ];
}

async function found(network: Promise<NetworkView | undefined>, name: string): Promise<NetworkView> {
  const there = await network;
  if (there === undefined) throw absent(name);
  return there;
}

function absent(name: NetworkInfo['name']): EngineError {
  return new EngineError('not-found', `network ${name} not found`);
}
