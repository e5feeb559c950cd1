import { expect, test } from 'bun:test';
import { Exposition, Histogram } from './exposition.ts';

// The format: https://prometheus.io/docs/instrumenting/exposition_formats/

test('a family has its help and type once, before its samples', () => {
  const into = new Exposition();
  into.gauge('a', 'what it is', [{ labels: { x: '1' }, value: 2 }, { value: 0.5 }]);
  expect(into.toString()).toBe('# HELP a what it is\n# TYPE a gauge\na{x="1"} 2\na 0.5\n');
});

test('quotes, backslashes and line breaks can be in help and labels', () => {
  const into = new Exposition();
  into.counter('a_total', 'one\\two\nthree', [{ labels: { x: 'a"b\\c\nd' }, value: 1 }]);
  expect(into.toString()).toBe(
    '# HELP a_total one\\\\two\\nthree\n# TYPE a_total counter\na_total{x="a\\"b\\\\c\\nd"} 1\n',
  );
});

test('a histogram counts what is at most a bound, in each series of its own', () => {
  const histogram = new Histogram([0.1, 1]);
  histogram.declare({ of: 'none' });
  for (const seconds of [0.0625, 0.1, 0.5, 4]) histogram.observe({ of: 'some' }, seconds);
  const into = new Exposition();
  histogram.write(into, 'h', 'help');
  expect(into.toString().split('\n')).toEqual([
    '# HELP h help',
    '# TYPE h histogram',
    'h_bucket{of="none",le="0.1"} 0',
    'h_bucket{of="none",le="1"} 0',
    'h_bucket{of="none",le="+Inf"} 0',
    'h_sum{of="none"} 0',
    'h_count{of="none"} 0',
    'h_bucket{of="some",le="0.1"} 2',
    'h_bucket{of="some",le="1"} 3',
    'h_bucket{of="some",le="+Inf"} 4',
    'h_sum{of="some"} 4.6625',
    'h_count{of="some"} 4',
    '',
  ]);
});
