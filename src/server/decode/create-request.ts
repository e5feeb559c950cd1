import type { CreateRequest } from '../../containers/container-backend.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { Json } from '../../wire/json.ts';
import { CONFIG_RULES, emptyConfig } from './container-config.ts';
import { applyRules } from './field-rule.ts';
import { Fields } from './go-json.ts';
import { checkHealthcheck } from './healthcheck.ts';
import { checkHost, checkJoinedNetwork } from './host-checks.ts';
import { emptyHost, emptyLists, HOST_RULES } from './host-config.ts';
import { decodeNetworking } from './network-request.ts';
import { portWarnings } from './port-bindings.ts';

/**
 * The body of `POST /containers/create`, decoded.
 *
 * @throws EngineError "invalid" on wrong types and senseless values, "not-implemented" naming a field that is set
 * and not built yet.
 */
export function decodeCreateRequest(
  body: Json,
): Pick<CreateRequest, 'config' | 'host' | 'networks'> & { warnings: string[] } {
  if (isUnset(body))
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
  // There is no image whose command it could be.
  if (config.image === '' && (config.cmd ?? []).length + (config.entrypoint ?? []).length === 0)
    throw new EngineError('invalid', 'no command specified');
  checkHealthcheck(config.healthcheck);
  checkHost(host);
  if (host.utsMode === 'host' && config.hostname !== '')
    throw new EngineError('invalid', 'conflicting options: hostname and the UTS mode');
  checkJoinedNetwork(config, host);
  warnings.push(...portWarnings(host));
  return { config, host, networks: decodeNetworking(fields, host.networkMode), warnings };
}

/** Whether nothing of the configuration is named, be it an empty text: what else a request holds doesn't make a container. */
function isUnset(body: Json): boolean {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return body === null;
  return Object.keys(body).every((name) => /^(?:HostConfig|NetworkingConfig)$/i.test(name));
}
