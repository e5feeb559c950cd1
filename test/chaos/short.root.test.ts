import { expect, test } from 'bun:test';
import { runCampaign } from './campaign.ts';
import { SETTINGS } from './plan.ts';
import { renderTally } from './tally.ts';

const SEED = 20_26;

test('a short fault campaign: the daemon killed at random moments, and no invariant broken', async () => {
  const tally = await runCampaign({
    seed: SEED,
    rounds: 6,
    minutes: 1,
    plan: { busyRounds: 2, otherRounds: 1, workers: 3, longLineMegabytes: 16, settings: SETTINGS },
  });
  expect(tally.violations, renderTally(tally, SEED, 0)).toEqual([]);
  expect(tally.kills).toBeGreaterThan(0);
}, 120_000);
