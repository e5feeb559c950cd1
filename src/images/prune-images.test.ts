import { afterEach, beforeEach, expect, setSystemTime, test } from 'bun:test';
import { failureOf } from '../../test/support/failure-of.ts';
import { ImageBench } from '../../test/support/images/image-bench.ts';
import { makeImage, makeLayer, noise } from '../../test/support/images/image-maker.ts';
import { file, makeTar } from '../../test/support/images/tar-maker.ts';

let bench: ImageBench;
beforeEach(async () => {
  bench = await ImageBench.start();
});
afterEach(async () => {
  setSystemTime();
  await bench.stop();
});

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2027, 0, 1);

const sizeOf = (made: ReturnType<typeof makeImage>) =>
  made.bytes.length +
  made.blobs.reduce((sum, { bytes }) => sum + bytes.length, 0) +
  made.layers.reduce((sum, { tar }) => sum + tar.length, 0);
const images = [1, 2, 3].map((seed) =>
  makeImage([makeLayer(makeTar([file(`f${seed}`, noise(50_000, seed))]))], {
    created: `2026-01-0${seed}T00:00:00Z`,
    config: { Labels: { n: String(seed) } },
  }),
);

/** One image a day. */
async function pullAll(): Promise<void> {
  for (const [at, made] of images.entries()) {
    setSystemTime(START_MS + at * DAY_MS);
    bench.registry.add({ repository: `docker.io/library/i${at + 1}`, tag: 'latest' }, made);
    await bench.pull(`i${at + 1}`);
  }
}

const prune = (filters: Record<string, string[]>) =>
  bench.images.prune({ danglingOnly: false, filters: new Map(Object.entries(filters)) });
const names = async () =>
  (await bench.images.list({ all: true, filters: new Map() })).flatMap(({ repoTags }) => repoTags).sort();

test('unused-for counts from the last use: a pull, a run, over a restart too', async () => {
  await pullAll();
  setSystemTime(START_MS + 3 * DAY_MS);
  bench.images.used(images[0]!.descriptor.digest);
  await bench.restart();
  setSystemTime(START_MS + 3.5 * DAY_MS);
  const { deleted } = await prune({ 'unused-for': [String((1.9 * DAY_MS) / 1000)] });
  expect(deleted).toEqual([{ untagged: 'i2:latest' }, { deleted: images[1]!.descriptor.digest }]);
  expect(await names()).toEqual(['i1:latest', 'i3:latest']);
});

test('keep-size ends the removal, the longest unused first; what a container uses stays', async () => {
  await pullAll();
  const [first, second, third] = images.map(sizeOf);
  expect((await prune({ 'keep-size': [String(first! + second! + third!)] })).deleted).toEqual([]);
  bench.users.set(images[0]!.descriptor.digest, [{ id: 'c', running: false }]);
  const { reclaimedBytes } = await prune({ 'keep-size': [String(first! + third!)] });
  expect(await names()).toEqual(['i1:latest', 'i3:latest']);
  expect(reclaimedBytes).toBe(second!);
  await prune({ 'keep-size': ['0'] });
  expect(await names()).toEqual(['i1:latest']);
});

test("Docker's filters: until, label and label!; unknown ones and bad values are refused", async () => {
  await pullAll();
  expect((await prune({ until: ['2026-01-01T12:00:00Z'] })).deleted).toHaveLength(2);
  expect((await prune({ label: ['n=2'], 'label!': ['n'] })).deleted).toEqual([]);
  expect((await prune({ 'label!': ['n=3'] })).deleted).toHaveLength(2);
  expect(await names()).toEqual(['i3:latest']);
  for (const [filter, words] of [
    [{ reference: ['x'] }, "invalid filter 'reference'"],
    [{ 'unused-for': ['1h'] }, "invalid filter 'unused-for=[1h]'"],
    [{ 'keep-size': ['1', '2'] }, "invalid filter 'keep-size=[1 2]'"],
  ] as const)
    expect(await failureOf(prune(filter as never))).toMatchObject({ kind: 'invalid', message: words });
});
