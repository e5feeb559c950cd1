import { expect, test } from 'bun:test';
import { apparmorProfile, profileNames } from './apparmor.ts';

const loaded = {
  enabled: true,
  profiles: () => profileNames('docker-default (enforce)\nmy own (complain)\n'),
};
const bare = { enabled: true, profiles: () => profileNames('') };
const without = { enabled: false, profiles: () => new Set<string>() };

test.each([
  [undefined, false, loaded, 'docker-default'],
  ['', false, loaded, 'docker-default'],
  [undefined, true, loaded, 'unconfined'],
  ['my own', false, loaded, 'my own'],
  ['my own', true, loaded, 'my own'],
  ['unconfined', false, loaded, 'unconfined'],
  [undefined, false, bare, undefined],
  ['absent', false, bare, 'absent'],
  ['absent', false, without, undefined],
  [undefined, true, without, undefined],
] as const)('asked for %p, privileged %p', (asked, privileged, host, profile) => {
  expect(apparmorProfile(asked, { privileged }, host)).toBe(profile as never);
});

test('names of profiles are what stands before their mode', () => {
  expect([...profileNames('/usr/bin/man (enforce)\na b (c) (unconfined)\n\nbroken\n')]).toEqual([
    '/usr/bin/man',
    'a b (c)',
  ]);
});
