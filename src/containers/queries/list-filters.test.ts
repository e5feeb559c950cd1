import { expect, test } from 'bun:test';
import { failureOf } from '../../../test/support/failure-of.ts';
import type { ContainerView } from '../container.ts';
import { compileFilters } from './list-filters.ts';

const none = { container: () => ({ createdNano: 0n }), imageIds: async () => new Set<string>() };
const view = (status: string) =>
  ({
    name: 'one',
    state: { status, exitCode: 0 },
    config: { exposedPorts: ['80/tcp', '90/udp', '101/tcp'] },
    ports: [
      { protocol: 'tcp', hostPort: 1098, containerPort: 8091 },
      { protocol: 'udp', hostPort: 1099, containerPort: 1090 },
    ],
  }) as unknown as ContainerView;
const fits = async (key: string, value: string, status = 'running') =>
  (await compileFilters(new Map([[key, [value]]]), none))(view(status));

// As seen on Docker 28.5.
test.each([
  ['expose', '80', true],
  ['expose', '80/tcp', true],
  ['expose', '80/udp', false],
  ['expose', '80/', true],
  ['expose', '90', false],
  ['expose', '90/udp', true],
  ['expose', '79-81', true],
  ['expose', '99-110/udp', false],
  ['expose', '80/foo', false],
  ['publish', '80', false],
  ['publish', '1098', true],
  ['publish', '8091', false],
  ['publish', '1099', false],
  ['publish', '1099/udp', true],
  ['publish', '1090/udp', false],
  ['publish', '1090-1099', true],
  ['publish', '1000-1097', false],
  ['health', 'none', true],
  ['health', 'healthy', false],
  ['is-task', '0', true],
  ['is-task', 'true', false],
  ['name', '[', false],
  ['name', '^/on', true],
])('%s=%s: %p', async (key, value, expected) => expect(await fits(key, value)).toBe(expected));

test('what is stopped exposes nothing', async () => expect(await fits('expose', '80', 'exited')).toBe(false));

test.each([
  ['expose', 'x', 'error while looking up for expose x: strconv.ParseUint: parsing "x": invalid syntax'],
  [
    'publish',
    '70000',
    'error while looking up for publish 70000: strconv.ParseUint: parsing "70000": value out of range',
  ],
  ['expose', '/tcp', 'error while looking up for expose /tcp: Empty string specified for ports.'],
  ['expose', '80-70', 'error while looking up for expose 80-70: Invalid range specified for the Port: 80-70'],
  [
    'health',
    'foo',
    "invalid filter 'health=foo': invalid value for health (foo): must be one of none, starting, healthy, unhealthy",
  ],
  ['is-task', 'f', "invalid filter 'is-task=[f]'"],
  ['exited', 'foo', `invalid filter 'exited=foo': strconv.Atoi: parsing "foo": invalid syntax`],
  [
    'status',
    'foo',
    "invalid filter 'status=foo': invalid value for state (foo): must be one of created, running, paused, restarting, removing, exited, dead",
  ],
  ['foo', 'x', "invalid filter 'foo'"],
])('%s=%s is refused', async (key, value, message) =>
  expect(await failureOf(compileFilters(new Map([[key, [value]]]), none))).toMatchObject({
    kind: 'invalid',
    message,
  }),
);
