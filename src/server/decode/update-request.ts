import type { PortChange } from '../../containers/ports/change-ports.ts';
import type { PortBindings } from '../../containers/ports/port-binding.ts';
import type { ContainerChange } from '../../containers/update/container-update.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { Json } from '../../wire/json.ts';
import { applyRules } from './field-rule.ts';
import { Fields, smallInt64 } from './go-json.ts';
import { checkRestartPolicy } from './host-checks.ts';
import { emptyHost, UPDATE_RULES } from './host-config.ts';
import { portBindings } from './port-bindings.ts';

/**
 * The body of `POST /containers/{id}/update`, decoded.
 *
 * @throws EngineError "invalid" on wrong types and senseless values, "not-implemented" naming a field that is not built yet.
 */
export function decodeUpdateRequest(body: Json): { change: ContainerChange; warnings: string[] } {
  const fields = new Fields(body, '', 'container.UpdateConfig');
  const host = emptyHost();
  const warnings = applyRules(UPDATE_RULES, fields, { target: host, path: '' });
  checkRestartPolicy(host.restartPolicy);
  const { memorySwappiness: _fixed, ...resources } = host.resources;
  const pidsLimit = fields.get('PidsLimit', smallInt64);
  return {
    change: {
      resources: { ...resources, pidsLimit },
      ports: portChange(fields),
      restartPolicy: host.restartPolicy.name === '' ? undefined : host.restartPolicy,
    },
    warnings,
  };
}

/** `PublishAdd` and `PublishRemove`, which are ours: as `HostConfig.PortBindings`. */
function portChange(fields: Fields): PortChange | undefined {
  const [add, remove] = [fields.get('PublishAdd', portBindings), fields.get('PublishRemove', portBindings)];
  if (add === undefined && remove === undefined) return undefined;
  return { add: normalPorts(add ?? {}), remove: normalPorts(remove ?? {}) };
}

/** `80` is `80/tcp`. @throws EngineError "invalid" for what is no port of a container. */
function normalPorts(bindings: PortBindings): PortBindings {
  return Object.fromEntries(
    Object.entries(bindings).map(([port, list]) => {
      const match = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/.exec(port);
      const number = Number(match?.[1]);
      if (match === null || number === 0 || number > 65_535)
        throw new EngineError('invalid', `invalid port specification: ${JSON.stringify(port)}`);
      return [`${number}/${match[2] ?? 'tcp'}`, list];
    }),
  );
}
