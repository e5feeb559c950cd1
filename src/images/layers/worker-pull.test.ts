import { afterEach, beforeEach, expect, test } from 'bun:test';
import { readdirSync } from 'node:fs';
import { failureOf } from '../../../test/support/failure-of.ts';
import { ImageBench } from '../../../test/support/images/image-bench.ts';
import { makeImage, makeLayer, noise } from '../../../test/support/images/image-maker.ts';
import { directory, file, makeTar, symlink } from '../../../test/support/images/tar-maker.ts';
import type { PullProgress } from '../image-backend.ts';

let bench: ImageBench;
beforeEach(async () => {
  bench = await ImageBench.start({ workers: true });
});
afterEach(() => bench.stop());

const name = { repository: 'docker.io/library/app', tag: 'latest' };
const layers = [1, 2, 3, 4, 5].map((seed) =>
  makeLayer(makeTar([directory('d'), file(`d/${seed}`, noise(1_500_000, seed)), symlink('l', 'd')])),
);
const image = makeImage(layers);
const last = layers[4]!.descriptor;

/** Stages lie in the root beside the store. */
const stages = (): string[] => readdirSync(bench.root).filter((entry) => entry.startsWith('stage'));

test('layers come through workers: three at a time, the others say that they wait', async () => {
  bench.registry.add(name, image);
  const lines = await bench.pull('app');
  expect(lines.filter(({ status }) => status === 'Pull complete').length).toBe(5);
  expect(lines.filter(({ status }) => status === 'Waiting').length).toBe(2);
  const view = await bench.images.get('app');
  expect(view.layers.map(({ diffId, tarSize }) => [diffId, tarSize])).toEqual(
    layers.map(({ diffId, tar }) => [diffId, tar.length]),
  );
  expect(stages()).toEqual([]);
});

test('an abort reaches the worker: no stage, no lock, and the next pull goes on by Range', async () => {
  bench.registry.add(name, image);
  bench.registry.blobHook = ({ digest }, bytes) => {
    if (digest !== last.digest) return undefined;
    return new ReadableStream({ start: (stream) => stream.enqueue(bytes.slice(0, 700_000)) });
  };
  const controller = new AbortController();
  const lines: PullProgress[] = [];
  const pulling = failureOf(bench.pull('app', { signal: controller.signal, lines }));
  while (lines.filter(({ status }) => status === 'Pull complete').length < 4) await Bun.sleep(5);
  await Bun.sleep(300);
  const reason = new Error('client gone');
  const aborted = performance.now();
  controller.abort(reason);
  expect(await pulling).toBe(reason);
  expect(performance.now() - aborted).toBeLessThan(900);
  expect(stages()).toEqual([]);
  expect(bench.stored().ingests).toBe(1);
  bench.registry.blobHook = undefined;
  bench.registry.requests.length = 0;
  await bench.restart();
  await bench.pull('app');
  expect(bench.registry.requests).toEqual([{ digest: last.digest, start: 700_000 }]);
  expect(bench.stored().ingests).toBe(0);
});

test("a worker's refusal keeps its kind and code, and the worker serves the next pull", async () => {
  bench.registry.add(name, image);
  bench.registry.blobHook = ({ digest }, bytes) =>
    digest === last.digest
      ? new Response(bytes.map((byte) => byte ^ 1) as Uint8Array<ArrayBuffer>).body!
      : undefined;
  expect(await failureOf(bench.pull('app'))).toMatchObject({
    kind: 'invalid',
    code: 'digest-mismatch',
    message: `filesystem layer verification failed for digest ${last.digest}`,
  });
  expect(stages()).toEqual([]);
  bench.registry.blobHook = undefined;
  await bench.pull('app');
});

test('a hostile layer is refused by the sink, and its blob goes too', async () => {
  const hostile = makeLayer(
    makeTar([{ name: 'x', type: '1', linkName: 'not-there' }, file('y', noise(500_000))]),
  );
  bench.registry.add(name, makeImage([hostile]));
  expect(await failureOf(bench.pull('app'))).toMatchObject({ kind: 'invalid', code: 'archive-hostile' });
  await bench.images.settled();
  expect(stages()).toEqual([]);
  expect(bench.stored()).toEqual({ blobs: [], ingests: 0 });
});
