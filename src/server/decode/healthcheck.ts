import type { HealthFailureAction } from '../../containers/health/health.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { Healthcheck } from '../../oci/image-config.ts';
import { type Decoder, Fields, int, int64, string, strings } from './go-json.ts';

const SHORTEST_NS = 1_000_000n;

export function decodeHealthcheck(...[value, field]: Parameters<Decoder<Healthcheck>>): Healthcheck {
  const fields = new Fields(value, field, 'container.HealthConfig');
  return {
    test: fields.get('Test', strings) ?? [],
    intervalNs: fields.get('Interval', int64) ?? 0n,
    timeoutNs: fields.get('Timeout', int64) ?? 0n,
    startPeriodNs: fields.get('StartPeriod', int64) ?? 0n,
    startIntervalNs: fields.get('StartInterval', int64) ?? 0n,
    retries: fields.get('Retries', int) ?? 0,
  };
}

/** @throws EngineError "invalid" in Docker's words on times that are too short. */
export function checkHealthcheck(healthcheck: Healthcheck | undefined): void {
  if (healthcheck === undefined) return;
  const { intervalNs, timeoutNs, startPeriodNs, startIntervalNs, retries } = healthcheck;
  for (const [name, value] of [
    ['Interval', intervalNs],
    ['Timeout', timeoutNs],
    ['StartPeriod', startPeriodNs],
    ['StartInterval', startIntervalNs],
  ] as const)
    if (value !== 0n && value < SHORTEST_NS)
      throw new EngineError('invalid', `${name} in Healthcheck cannot be less than 1ms`);
  if (retries < 0) throw new EngineError('invalid', 'Retries in Healthcheck cannot be negative');
}

const HEALTH_ACTIONS: readonly HealthFailureAction[] = ['none', 'kill', 'restart', 'stop'];

/** `HealthOnFailure`, which is ours. @throws EngineError "invalid" for another word. */
export function decodeHealthAction(
  ...[value, field]: Parameters<Decoder<HealthFailureAction>>
): HealthFailureAction {
  const text = string(value, field);
  const action = HEALTH_ACTIONS.find((known) => known === (text === '' ? 'none' : text));
  if (action === undefined)
    throw new EngineError(
      'invalid',
      `invalid health action: ${JSON.stringify(text)}: must be one of ${HEALTH_ACTIONS.join(', ')}`,
    );
  return action;
}
