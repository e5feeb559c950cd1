import { expect, test } from 'bun:test';
import { IdleRelease } from './idle-release.ts';

/** A process whose CPU time the test sets; releasing takes 30 ms of it. */
function process() {
  const state = { cpuMs: 400, releases: 0 };
  const idle = new IdleRelease({
    cpuMs: () => state.cpuMs,
    release: () => {
      state.releases++;
      state.cpuMs += 30;
    },
  });
  const work = (ms: number): number => {
    state.cpuMs += ms;
    idle.tick();
    return state.releases;
  };
  return { work };
}

test('the start-up is work: memory is released at the first rest after it', () => {
  const { work } = process();
  expect(work(300)).toBe(0);
  expect(work(2)).toBe(1);
});

test('a process at rest is left alone', () => {
  const { work } = process();
  expect(work(0)).toBe(1);
  expect([work(2), work(2), work(0), work(5)]).toEqual([1, 1, 1, 1]);
});

test('nothing is released under work, and again after it', () => {
  const { work } = process();
  expect(work(0)).toBe(1);
  expect([work(60), work(4000), work(51)]).toEqual([1, 1, 1]);
  expect(work(3)).toBe(2);
});

test('trickles add up', () => {
  const { work } = process();
  expect(work(0)).toBe(1);
  expect([work(40), work(40)]).toEqual([1, 1]);
  expect(work(40)).toBe(2);
});
