import { expect, test } from 'bun:test';
import { silentLogger } from '../errors/logger.ts';
import { defaultProfile, ensureDefaultProfile } from './default-apparmor.ts';

const host = { enabled: true, hasProfiles: true, profiles: () => new Set(['other']) };

async function loadedOn(change: Partial<typeof host>): Promise<string[]> {
  const loaded: string[] = [];
  await ensureDefaultProfile(silentLogger, { ...host, ...change }, async (text) => void loaded.push(text));
  return loaded;
}

test('ensureDefaultProfile() loads it where AppArmor is and nobody has loaded it', async () => {
  const [text = '', ...others] = await loadedOn({});
  expect(others).toEqual([]);
  expect(text).toContain('profile docker-default flags=(attach_disconnected,mediate_deleted) {\n');
});

test.each([
  ['no AppArmor', { enabled: false }],
  ["profiles that are the host's, of which a container sees nothing", { hasProfiles: false }],
  ['a profile that is there', { profiles: () => new Set(['docker-default']) }],
] as const)('ensureDefaultProfile() leaves alone %s', async (_what, change) => {
  expect(await loadedOn(change)).toEqual([]);
});

test('ensureDefaultProfile() tells of a profile that cannot be loaded', async () => {
  const told: unknown[] = [];
  const logger = { ...silentLogger, error: (...words: unknown[]) => void told.push(words) };
  await ensureDefaultProfile(logger, host, () => Promise.reject(new Error('no parser')));
  expect(told).toEqual([
    [
      'Cannot load the AppArmor profile: containers run without it',
      { profile: 'docker-default', error: 'no parser' },
    ],
  ]);
});

test('defaultProfile() names whom signals come from, and only macros that are there', () => {
  const bare = defaultProfile('unconfined', () => false);
  expect(bare).toStartWith('@{PROC}=/proc/\n');
  expect(bare).not.toContain('#include');
  expect(bare.match(/signal \(receive\) peer="\w+"/g)).toHaveLength(3);
  const full = defaultProfile('my daemon', () => true);
  expect(full).toContain('#include <tunables/global>\n');
  expect(full).toContain('  signal (receive) peer="my daemon",\n');
});
