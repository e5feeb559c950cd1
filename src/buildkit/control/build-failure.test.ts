import { expect, test } from 'bun:test';
import { EngineError } from '../../errors/engine-error.ts';
import { buildFailure } from './build-failure.ts';

const failing = (start: number, end: number) =>
  Object.assign(new EngineError('invalid', 'no such file'), { lines: { start, end } });

function sourceOf(text: string, start: number, end = start): string | undefined {
  const { details } = buildFailure(failing(start, end), { name: 'Dockerfile', data: Buffer.from(text) });
  const [source] = details;
  if (source === undefined) return undefined;
  const { info } = JSON.parse(new TextDecoder().decode(source.value)) as { info: { data: string } };
  return Buffer.from(info.data, 'base64').toString();
}

test('a small Dockerfile goes whole', () => {
  expect(sourceOf('FROM a\nRUN b\n', 2)).toBe('FROM a\nRUN b\n');
});

test('of a large one the lines go that are shown, under their numbers', () => {
  const lines = Array.from({ length: 2000 }, (_, at) => `RUN echo line ${at + 1}`);
  const shown = sourceOf(lines.join('\n'), 1000, 1001)?.split('\n') ?? [];
  expect(shown).toHaveLength(2000);
  expect(shown.flatMap((line, at) => (line === '' ? [] : [at + 1]))).toEqual([
    996, 997, 998, 999, 1000, 1001, 1002, 1003, 1004, 1005,
  ]);
  expect(shown[999]).toBe('RUN echo line 1000');
});

test('an instruction that is too large itself is told without its lines', () => {
  expect(sourceOf(`FROM a\nRUN echo ${'x'.repeat(20_000)}\n`, 2)).toBeUndefined();
});
