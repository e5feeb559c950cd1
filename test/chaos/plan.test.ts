import { expect, test } from 'bun:test';
import {
  type Episode,
  IMAGES,
  type PlanOptions,
  planCampaign,
  SETTINGS,
  type Step,
  type TimedStep,
} from './plan.ts';

const options: PlanOptions = {
  busyRounds: 20,
  otherRounds: 2,
  workers: 6,
  longLineMegabytes: 8,
  settings: SETTINGS,
};

const STEPS = 60;

/** The first episodes, and the first steps of each worker. */
function episodes(seed: number, count: number): (Omit<Episode, 'workers'> & { workers: Step[][] })[] {
  return [...planCampaign(seed, options).take(count)].map(({ workers, ...episode }) => ({
    ...episode,
    workers: workers.map((steps) =>
      Array.from({ length: STEPS }, () => (steps.next().value as TimedStep).step),
    ),
  }));
}

const stepsOf = (all: ReturnType<typeof episodes>): { worker: string; step: Step }[] =>
  all.flatMap(({ workers }, episode) =>
    workers.flatMap((steps, worker) => steps.map((step) => ({ worker: `${episode}.${worker}`, step }))),
  );

test('a seed decides the whole schedule, another makes another', () => {
  expect(episodes(7, 6)).toEqual(episodes(7, 6));
  expect(episodes(7, 6)).not.toEqual(episodes(8, 6));
});

test('how far one worker gets does not change the steps of another', () => {
  const [first] = planCampaign(9, options).take(1);
  const [second] = planCampaign(9, options).take(1);
  for (let count = 0; count < STEPS; count++) first?.workers[0]?.next();
  expect(first?.workers[1]?.next()).toEqual(second?.workers[1]?.next());
});

test('the settings take turns', () => {
  expect(episodes(1, 6).map(({ setting }) => setting)).toEqual([...SETTINGS, 'busy']);
});

test('a container, and an image, belongs to one worker; what is done to a container comes after its run', () => {
  const owners = new Map<string, string>();
  const made = new Set<string>();
  for (const { worker, step } of stepsOf(episodes(3, 8))) {
    const episode = worker.split('.')[0];
    const subject =
      'container' in step ? step.container : `${episode} ${'image' in step ? step.image : step.volume}`;
    expect(owners.get(subject) ?? worker).toBe(worker);
    owners.set(subject, worker);
    if (step.kind === 'run') made.add(step.container);
    else if ('container' in step) expect(made).toContain(step.container);
  }
});

test('every kind of step, program, image and manner comes up', () => {
  const steps = stepsOf(episodes(5, 8)).map(({ step }) => step);
  const kinds = new Set(steps.map(({ kind }) => kind));
  expect<string[]>([...kinds].sort()).toEqual(
    `build copy exec fault kill logs pause pull remove rm-volume rmi rude run start stop update`
      .split(' ')
      .sort(),
  );
  const programs = new Set(steps.flatMap((step) => (step.kind === 'run' ? [step.program.name] : [])));
  expect(programs.size).toBe(14);
  expect(new Set(steps.flatMap((step) => (step.kind === 'rude' ? [step.manner] : []))).size).toBe(5);
  expect(new Set(steps.flatMap((step) => (step.kind === 'pull' ? [step.image] : []))).size).toBe(
    IMAGES.length,
  );
});
