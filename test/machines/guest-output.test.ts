import { expect, test } from 'bun:test';
import { promisedBy } from './steps/power-cuts.ts';
import { failuresOf } from './steps/suites.ts';
import { mediansOf } from './steps/timings.ts';

test('mediansOf() takes the middle of what each piece of work took, in milliseconds', () => {
  const printed =
    'noise\nWORK pull\nTOOK 3000\nsha256:1\nTOOK 1000\nTOOK 90000\nWORK run --rm busybox true\nTOOK 4600\n';
  expect(mediansOf(printed)).toEqual({ 'ms:pull': '3', 'ms:run --rm busybox true': '5' });
  expect(mediansOf('WORK pull\n')).toEqual({});
});

test('failuresOf() has each failed test, and what a file left behind', () => {
  const printed =
    'ok   ./a\n(pass) one\n(fail) two > three [5.00ms]\nFAIL ./b (1)\nLEAK ./c left on the machine:\n  mount /x\n';
  expect(failuresOf(printed)).toEqual([
    '(fail) two > three [5.00ms]',
    'FAIL ./b (1)',
    'LEAK ./c left on the machine:',
  ]);
});

test('promisedBy() has the last whole line of each kind', () => {
  expect(promisedBy('MADE a\nBUILT x\nnoise MADE n\nMADE b\nMADE c')).toEqual({
    built: 'x',
    synced: '',
    made: 'b',
  });
});
