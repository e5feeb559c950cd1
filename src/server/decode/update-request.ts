import type { ContainerChange } from '../../containers/container-update.ts';
import type { Json } from '../../wire/json.ts';
import { applyRules } from './field-rule.ts';
import { Fields, smallInt64 } from './go-json.ts';
import { checkRestartPolicy } from './host-checks.ts';
import { emptyHost, UPDATE_RULES } from './host-config.ts';

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
      restartPolicy: host.restartPolicy.name === '' ? undefined : host.restartPolicy,
    },
    warnings,
  };
}
