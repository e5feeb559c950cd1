import { expect, test } from 'bun:test';
import { compareNatural } from './natural-order.ts';

test("compareNatural() sorts as Docker's lists of volumes and networks", () => {
  // As `docker volume ls -q` printed them.
  const sorted = [
    '4f',
    'pk1',
    'pkB',
    'pka',
    'pka1',
    'pka1b',
    'pka01',
    'pka2',
    'pka10',
    'pka-b',
    'pka_b',
    'pkab',
    'pkb',
  ];
  expect(sorted.toReversed().toSorted(compareNatural)).toEqual(sorted);
});
