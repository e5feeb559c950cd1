import { expect, test } from 'bun:test';
import { messageOf } from '../errors/engine-error.ts';
import { checkGatewayModes, gatewayModesOf } from './bridge-options.ts';

const PREFIX = 'com.docker.network.bridge.';

function failureOf(mode: string, internal = false, family = 4): string {
  try {
    checkGatewayModes({ options: { [`${PREFIX}gateway_mode_ipv${family}`]: mode }, internal });
    return '';
  } catch (error) {
    return messageOf(error);
  }
}

/** Words of Docker 28.5. */
test("gateway modes are taken, or refused in Docker's words or with the reason", () => {
  expect([failureOf('nat'), failureOf('nat-unprotected', false, 6)]).toEqual(['', '']);
  expect([failureOf('routed'), failureOf('isolated', true, 6)]).toEqual(['', '']);
  expect(failureOf('bogus')).toBe(
    'failed to parse com.docker.network.bridge.gateway_mode_ipv4 value: bogus (unknown gateway mode bogus)',
  );
  expect(failureOf('', false, 6)).toBe(
    'failed to parse com.docker.network.bridge.gateway_mode_ipv6 value:  (unknown gateway mode )',
  );
  expect(failureOf('isolated')).toBe("gateway mode 'isolated' can only be used for an internal network");
});

test('a network of an earlier release with a mode that is refused now has NAT', () => {
  const modes = (v4: string, v6: string, internal: boolean) =>
    gatewayModesOf({
      options: { [`${PREFIX}gateway_mode_ipv4`]: v4, [`${PREFIX}gateway_mode_ipv6`]: v6 },
      internal,
    });
  expect(modes('bogus', 'nat-unprotected', false)).toEqual({ 4: 'nat', 6: 'nat-unprotected' });
  expect(modes('isolated', 'routed', false)).toEqual({ 4: 'nat', 6: 'routed' });
  expect(modes('isolated', 'routed', true)).toEqual({ 4: 'isolated', 6: 'routed' });
});
