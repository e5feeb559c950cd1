import { expect, test } from 'bun:test';
import { startOrder } from './start-order.ts';

test('those come first whose namespaces others join; who is not due is not waited for', () => {
  const due = [
    { id: 'c', needs: ['b'] },
    { id: 'b', needs: ['a'] },
    { id: 'a', needs: [] },
    { id: 'd', needs: ['elsewhere'] },
  ];
  expect(startOrder(due)).toEqual([['a', 'd'], ['b'], ['c']]);
});

test('a circle comes last, and ends', () => {
  const due = [
    { id: 'a', needs: ['b'] },
    { id: 'b', needs: ['a'] },
    { id: 'c', needs: [] },
  ];
  expect(startOrder(due)).toEqual([['c'], ['a', 'b']]);
  expect(startOrder([])).toEqual([]);
});
