import { expect, test } from 'bun:test';
import { portRequests } from './port-requests.ts';

test('portRequests() takes what is exposed and bound, addresses of one port together', () => {
  const requests = portRequests(
    { exposedPorts: ['90/udp', '80/tcp', '81/tcp'] },
    {
      publishAllPorts: false,
      portBindings: {
        '80/tcp': [
          { hostIp: '127.0.0.1', hostPort: '' },
          { hostIp: '::1', hostPort: '' },
          { hostIp: '', hostPort: '8080-8082' },
        ],
        '90/udp': [{ hostIp: '', hostPort: '0' }],
        '99/tcp': [{ hostIp: '', hostPort: '99' }],
      },
    },
  );
  expect(requests).toEqual([
    { protocol: 'tcp', containerPort: 80, hostAddresses: ['127.0.0.1', '::1'], hostPorts: undefined },
    { protocol: 'tcp', containerPort: 80, hostAddresses: [''], hostPorts: { from: 8080, to: 8082 } },
    { protocol: 'udp', containerPort: 90, hostAddresses: [''], hostPorts: undefined },
  ]);
});

test('portRequests() knows a port without its protocol, or in capitals', () => {
  const requests = portRequests(
    { exposedPorts: ['80/tcp', '53/udp'] },
    {
      publishAllPorts: false,
      portBindings: {
        '80': [{ hostIp: '', hostPort: '0' }],
        '80/tcp': [{ hostIp: '', hostPort: '0' }],
        '53/UDP': [{ hostIp: '', hostPort: '53' }],
        '80/foo': [{ hostIp: '', hostPort: '1' }],
        '': [{ hostIp: '', hostPort: '2' }],
      },
    },
  );
  expect(requests).toEqual([
    { protocol: 'udp', containerPort: 53, hostAddresses: [''], hostPorts: { from: 53, to: 53 } },
    { protocol: 'tcp', containerPort: 80, hostAddresses: [''], hostPorts: undefined },
  ]);
});

test('portRequests() with all gives any port to what is exposed and not bound', () => {
  const requests = portRequests(
    { exposedPorts: ['80/tcp', '81/tcp'] },
    { publishAllPorts: true, portBindings: { '80/tcp': [{ hostIp: '', hostPort: '8080' }], '81/tcp': [] } },
  );
  expect(requests.map(({ hostPorts }) => hostPorts)).toEqual([{ from: 8080, to: 8080 }, undefined]);
});
