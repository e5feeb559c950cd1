import { expect, test } from 'bun:test';
import type { BuildEvent } from '../../builder/build-progress.ts';
import { buildFailure } from './build-failure.ts';
import { statusOf } from './status-messages.ts';

const warning: BuildEvent = {
  type: 'warning',
  warning: { vertex: undefined, level: 1, short: 's', detail: [], url: '', lines: { start: 1, end: 1 } },
};
const dockerfile = (size: number) => ({ name: 'Dockerfile', data: new Uint8Array(size) });
const sources = (count: number, size: number) =>
  statusOf(Array<BuildEvent>(count).fill(warning), dockerfile(size))?.warnings?.filter(
    ({ info }) => info !== undefined,
  ).length;

test('statusOf() puts the Dockerfile beside each warning, as long as a message can hold it', () => {
  expect(sources(30, 1000)).toBe(30);
  expect(sources(9000, 1 << 20)).toBe(4);
  expect(sources(1, 12 << 20)).toBe(0);
});

test('buildFailure() shows the Dockerfile where a header can hold it', () => {
  const error = Object.assign(new Error('no'), { lines: { start: 1, end: 1 } });
  expect(buildFailure(error, dockerfile(1000)).details.length).toBe(1);
  const large = buildFailure(error, dockerfile(12 << 20));
  expect([large.message, large.details.length]).toEqual(['no', 0]);
});
