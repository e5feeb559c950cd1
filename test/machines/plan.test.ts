import { expect, test } from 'bun:test';
import { planMachines } from './plan.ts';

const nothingDone = { platforms: [], steps: [], isDone: () => false };
const namesOf = (plan: ReturnType<typeof planMachines>) =>
  plan.map(({ platform, steps }) => [platform.name, steps]);

test('planMachines() without names is everything, Debian 12 first: the others are compared with it', () => {
  const plan = planMachines(nothingDone);
  expect(plan.map(({ platform }) => platform.name)).toEqual([
    'debian-12',
    'debian-12-backports',
    'debian-13',
  ]);
  expect(plan[0]?.steps.slice(0, 2)).toEqual(['newcomer', 'survey']);
});

test('planMachines() keeps its own order', () => {
  const plan = planMachines({ ...nothingDone, platforms: ['debian-13'], steps: ['tour', 'storage'] });
  expect(namesOf(plan)).toEqual([['debian-13', ['storage', 'tour']]]);
});

test('planMachines() leaves out what has passed, and a machine with nothing left', () => {
  const isDone = (platform: string, step: string) => platform === 'debian-12' || step === 'tour';
  const plan = planMachines({ platforms: ['debian-12', 'debian-13'], steps: ['survey', 'tour'], isDone });
  expect(namesOf(plan)).toEqual([['debian-13', ['survey']]]);
});

test('planMachines() names what there is when asked for what there is not', () => {
  expect(() => planMachines({ ...nothingDone, platforms: ['debian-11'] })).toThrow(
    'There is no machine "debian-11"; there are: debian-12, debian-12-backports, debian-13',
  );
  expect(() => planMachines({ ...nothingDone, steps: ['nap'] })).toThrow('There is no step "nap"');
});
