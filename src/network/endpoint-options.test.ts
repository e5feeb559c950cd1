import { expect, test } from 'bun:test';
import { messageOf } from '../errors/engine-error.ts';
import { interfaceNameFault, parseInterfaceSysctl, sysctlFaults } from './endpoint-options.ts';

const faults = (sysctls: string) => sysctlFaults({ 'com.docker.network.endpoint.sysctls': sysctls });

/** All words are those of Docker 28.5. */
test.each([
  'net.ipv4.conf.eth0.log_martians=1',
  'net.ipv4.ip_forward=0',
  'net/ipv4/conf/ifname/log_martians=1',
  'kernel.ifname.x=1',
  '=',
  'net.ipv4.conf.ifname=1',
])('%s is no setting of an interface', (text) => {
  expect(faults(text)).toEqual([
    `unrecognised network interface sysctl '${text}'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'`,
  ]);
});

test('settings are taken apart, several of them with commas', () => {
  expect(faults('net.ipv4.conf.IFNAME.log_martians=1,net.ipv6.conf.ifname.accept_ra=2')).toEqual([]);
  expect(sysctlFaults({})).toEqual([]);
  expect(parseInterfaceSysctl('net.ipv6.neigh.ifname.base_reachable_time_ms=10')).toEqual({
    folder: '/proc/sys/net/ipv6/neigh',
    file: 'base_reachable_time_ms',
    value: '10',
  });
});

test.each([
  [
    'net.ipv4.conf.ifname.log_martians',
    "expected sysctl 'net.ipv4.conf.ifname.log_martians' to have format name=value",
  ],
  [
    'net.ipv4.conf.ifname.../../../../kernel/x=1',
    "expected sysctl 'net.ipv4.conf.ifname.../../../../kernel/x=1' to have format net.X.Y.IFNAME.Z",
  ],
  [
    'net.ipv4.conf.ifname.a/b=1',
    "expected sysctl 'net.ipv4.conf.ifname.a/b=1' to have format net.X.Y.IFNAME.Z",
  ],
])('%s leads nowhere', (text, words) => {
  let told = '';
  try {
    parseInterfaceSysctl(text);
  } catch (error) {
    told = messageOf(error);
  }
  expect(told).toBe(words);
});

test.each([
  ['foo0', undefined],
  ['é', undefined],
  ['toolonginterfacename', 'numerical result out of range'],
  ['éééééééé', 'numerical result out of range'],
  ['a/b', 'invalid argument'],
  ['a b', 'invalid argument'],
  ['..', 'invalid argument'],
  ['all', 'invalid argument'],
])('an interface by the name of %s', (name, fault) => {
  expect(interfaceNameFault(name)).toBe(fault);
});
