import { expect, test } from 'bun:test';
import { checkHostOptions } from './check-host.ts';
import { plainHostOptions } from './plain-host-options.ts';
import type { SpecResources } from './spec-input.ts';

const withResources = (change: Partial<SpecResources>) => ({
  ...plainHostOptions,
  resources: { ...plainHostOptions.resources, ...change },
});

test('plain options bring no warning and stay as they are', () => {
  const { warnings, resources } = checkHostOptions(plainHostOptions, '2');
  expect([warnings, resources]).toEqual([[], plainHostOptions.resources]);
});

test('without an OOM killer, a memory limit is missed, in Docker words; cgroup v2 cannot go without', () => {
  const wish = { ...plainHostOptions, oomKillDisable: true };
  expect(checkHostOptions(wish, '1')).toMatchObject({
    warnings: [
      'OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.',
    ],
    oomKillDisable: true,
  });
  const limited = {
    ...withResources({ memoryBytes: 64n << 20n, memorySwapBytes: -1n }),
    oomKillDisable: true,
  };
  expect(checkHostOptions(limited, '2')).toMatchObject({
    warnings: ['Your kernel does not support OomKillDisable. OomKillDisable discarded.'],
    oomKillDisable: false,
  });
});

test('swappiness is of cgroup v1', () => {
  const wish = withResources({ memorySwappiness: 60 });
  expect(checkHostOptions(wish, '1')).toMatchObject({ warnings: [], resources: { memorySwappiness: 60 } });
  expect(checkHostOptions(wish, '2')).toMatchObject({
    warnings: [
      'Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.',
    ],
    resources: { memorySwappiness: -1 },
  });
});

test('an unknown capability is refused before there is a container', () => {
  expect(() => checkHostOptions({ ...plainHostOptions, capAdd: ['foo'] }, '1')).toThrow(
    'invalid CapAdd: unknown capability: "CAP_FOO"',
  );
});
