import type { CreateRequest } from '../../containers/container-backend.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { Json } from '../../wire/json.ts';
import { CONFIG_RULES, emptyConfig } from './container-config.ts';
import { applyRules } from './field-rule.ts';
import { anything, Fields, isDeepZero } from './go-json.ts';
import { checkHealthcheck } from './healthcheck.ts';
import { checkHost, checkJoinedNetwork } from './host-checks.ts';
import { emptyHost, emptyLists, HOST_RULES } from './host-config.ts';
import { portWarnings } from './port-bindings.ts';

/** The networks that need no endpoint settings; `default` is the one that the mode means. */
const PLAIN_NETWORKS = new Set(['default', 'bridge', 'host', 'none']);

/**
 * The body of `POST /containers/create`, decoded.
 *
 * @throws EngineError "invalid" on wrong types and senseless values, "not-implemented" naming a field that is set
 * and not built yet.
 */
export function decodeCreateRequest(
  body: Json,
): Pick<CreateRequest, 'config' | 'host'> & { warnings: string[] } {
  if (isDeepZero(body))
    throw new EngineError('invalid', 'config cannot be empty in order to create a container');
  const fields = new Fields(body, '', 'container.CreateRequest');
  const config = emptyConfig();
  const host = emptyHost();
  const warnings = applyRules(CONFIG_RULES, fields, { target: config, path: 'Config.' });
  const hostFields = fields.get(
    'HostConfig',
    (value, field) => new Fields(value, field, 'container.HostConfig'),
  );
  if (hostFields !== undefined) {
    host.emptyLists = emptyLists(hostFields);
    warnings.push(...applyRules(HOST_RULES, hostFields, { target: host, path: 'HostConfig.' }));
  }
  checkHealthcheck(config.healthcheck);
  checkHost(host);
  if (host.utsMode === 'host' && config.hostname !== '')
    throw new EngineError('invalid', 'conflicting options: hostname and the UTS mode');
  checkJoinedNetwork(config, host);
  warnings.push(...portWarnings(host));
  checkNetworking(fields, host.networkMode);
  return { config, host, warnings };
}

/**
 * Clients name the network of the mode again here, with settings that are all zero unless the user asked for more.
 * Whether there is one of that name is told at the start.
 */
function checkNetworking(fields: Fields, mode: string): void {
  const networking = fields.get(
    'NetworkingConfig',
    (value, field) => new Fields(value, field, 'network.NetworkingConfig'),
  );
  const endpoints = networking?.get('EndpointsConfig', anything) ?? {};
  if (typeof endpoints !== 'object' || endpoints === null || Array.isArray(endpoints))
    throw new EngineError(
      'invalid',
      'invalid JSON: json: cannot unmarshal value into Go struct field .NetworkingConfig.EndpointsConfig of type map[string]*network.EndpointSettings',
    );
  for (const [network, settings] of Object.entries(endpoints)) {
    if (!PLAIN_NETWORKS.has(network) && network !== mode)
      throw new EngineError(
        'not-implemented',
        `NetworkingConfig.EndpointsConfig (network ${JSON.stringify(network)}) is not implemented yet`,
      );
    if (!isDeepZero(settings))
      throw new EngineError(
        'not-implemented',
        `NetworkingConfig.EndpointsConfig (settings for ${network}: addresses, aliases, links, MAC) is not implemented yet`,
      );
  }
}
