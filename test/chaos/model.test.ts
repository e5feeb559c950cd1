import { expect, test } from 'bun:test';
import { ExpectedContainer, Model } from './model.ts';
import { numberingFault } from './numbered-log.ts';
import { programOf } from './program.ts';

const endless = () => new ExpectedContainer('one', programOf('counter', 1), false);
const job = (autoRemove = false) => new ExpectedContainer('one', programOf('short-job', 9), autoRemove);

test('what was answered is certain, what was lost may be as before or as asked', () => {
  const container = endless();
  container.create(false);
  expect([...container.possible]).toEqual(['absent', 'created']);
  container.settle('created', undefined);
  container.start(true);
  expect([...container.possible]).toEqual(['running']);
  container.remove(false);
  expect([...container.possible].sort()).toEqual(['absent', 'exited', 'running']);
});

test('an endless container may end by what was done to it alone, and with that code', () => {
  const container = endless();
  container.create(true);
  container.start(true);
  expect([...container.codes]).toEqual([]);
  container.end(true, [137, 143]);
  expect([...container.possible]).toEqual(['exited']);
  expect([...container.codes]).toEqual([137, 143]);
});

test('a job ends of itself with its own code; one that removes itself is gone then', () => {
  const container = job();
  container.create(true);
  container.start(true);
  expect([...container.possible]).toEqual(['running', 'exited']);
  expect([...container.codes]).toEqual([9]);
  const gone = job(true);
  gone.create(true);
  gone.start(true);
  expect([...gone.possible]).toEqual(['running', 'absent']);
});

test('a lost start of one that has exited may have been taken back: then its code is that of a failed start', () => {
  const container = job();
  container.create(true);
  container.start(true);
  container.settle('exited', undefined);
  container.start(false);
  expect([...container.codes]).toEqual([9, 128]);
  expect(container.starts).toBe(2);
});

test('what is retried on failure comes again with the host, whoever had ended it', () => {
  const container = new ExpectedContainer('one', programOf('retried-job', 9), false);
  container.create(true);
  container.start(true);
  container.end(true);
  container.settle('exited', undefined);
  container.loseHost();
  expect([...container.possible].sort()).toEqual(['exited', 'running']);
});

test('what is gone for good is forgotten, what may be there is not', () => {
  const model = new Model();
  model.add('gone', programOf('counter', 1), false).is('absent');
  model.add('perhaps', programOf('counter', 1), false).create(false);
  model.forgetAbsent();
  expect([...model.containers.keys()]).toEqual(['perhaps']);
});

const three = { runs: 1, lines: 3, mayLack: false };
test.each<[string, Parameters<typeof numberingFault>[1], string | undefined]>([
  ['line 0\nline 1\nline 2\n', three, undefined],
  ['line 0\nline 1\nli', { ...three, mayLack: true }, undefined],
  ['line 0\nline 2\n', three, 'line 1 is "line 2" where "line 1" was due'],
  ['line 0\nline 1\nline 1\nline 2\n', three, 'line 2 is "line 1" where "line 2" was due'],
  ['line 0\nline 1\n', three, 'the last run has 2 lines instead of 3'],
  ['line 0\nline 0\nline 1\nline 2\n', { ...three, runs: 2 }, 'run 1 has 1 lines instead of 3'],
  ['line 0\nline 1\nline 2\nline 0\n', { ...three, mayLack: true }, '2 runs are logged, 1 were started'],
  ['', { runs: 1, lines: undefined, mayLack: true }, undefined],
  ['garbage\n', { runs: 1, lines: undefined, mayLack: true }, 'line 0 is "garbage" where "line 0" was due'],
])('the log %j is held against %j', (text, expected, wrong) => {
  expect(numberingFault(text, expected)).toBe(wrong);
});
