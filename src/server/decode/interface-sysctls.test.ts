import { expect, test } from 'bun:test';
import { messageOf } from '../../errors/engine-error.ts';
import { emptyMembership } from './endpoint-settings.ts';
import { emptyHost } from './host-config.ts';
import { moveInterfaceSysctls } from './interface-sysctls.ts';

const OPTION = 'com.docker.network.endpoint.sysctls';
const request = (sysctls: Record<string, string>, networkMode = 'default') => ({
  host: { ...emptyHost(), sysctls, networkMode },
  networks: [emptyMembership('n1')],
});

/** As Docker 28.5, by its API of 1.45. */
test('an older client has settings of eth0 moved to the network of its mode, and is told', () => {
  const asked = request({ 'net.ipv4.conf.eth0.log_martians': '1', 'net.ipv4.ip_forward': '1' });
  expect(moveInterfaceSysctls(asked, '1.45')).toEqual([
    `Migrated sysctl "net.ipv4.conf.eth0.log_martians" to DriverOpts{"${OPTION}":"net.ipv4.conf.IFNAME.log_martians=1"}.`,
  ]);
  expect(asked.host.sysctls).toEqual({ 'net.ipv4.ip_forward': '1' });
  expect(asked.networks[0]).toMatchObject({
    network: 'default',
    driverOptions: { [OPTION]: 'net.ipv4.conf.IFNAME.log_martians=1' },
  });
});

test.each([
  [
    '1.48',
    'net.ipv4.conf.eth0.log_martians',
    `interface specific sysctl setting "net.ipv4.conf.eth0.log_martians" must be supplied using driver option '${OPTION}'`,
  ],
  [
    '1.47',
    'net.ipv4.conf.eth1.log_martians',
    `unable to determine network endpoint for sysctl net.ipv4.conf.eth1.log_martians, use driver option '${OPTION}' to set per-interface sysctls`,
  ],
])('by the API of %s, %s is refused', (version, key, words) => {
  let told = '';
  try {
    moveInterfaceSysctls(request({ [key]: '1' }), version);
  } catch (error) {
    told = messageOf(error);
  }
  expect(told).toBe(words);
  expect(moveInterfaceSysctls(request({ [key]: '1' }, 'host'), version)).toEqual([]);
});
