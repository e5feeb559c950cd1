import { expect, test } from 'bun:test';
import type { ImageView } from './image-backend.ts';
import { imageFilter } from './image-filters.ts';
import { emptyProcessConfig } from './making/import-changes.ts';

const NOW = Date.parse('2026-11-01T00:00:00Z');
const view = (change: Partial<ImageView> & { labels?: Record<string, string> } = {}): ImageView =>
  ({
    repoTags: ['busybox:latest'],
    repoDigests: [],
    created: '2026-10-01T00:00:00Z',
    ...change,
    config: { config: { ...emptyProcessConfig(), labels: change.labels ?? {} } },
  }) as unknown as ImageView;
const matches = (filters: Record<string, string[]>, image: ImageView): boolean =>
  imageFilter(new Map(Object.entries(filters)), {
    createdOf: () => Date.parse('2026-10-15T00:00:00Z'),
    nowMs: NOW,
  })(image);

test('dangling images have no tag; a digest is no name', () => {
  const dangling = view({ repoTags: [], repoDigests: ['a@sha256:0'] });
  expect(matches({ dangling: ['true'] }, dangling)).toBe(true);
  expect(matches({ dangling: ['1'] }, view())).toBe(false);
  expect(matches({ dangling: ['false'] }, view())).toBe(true);
  expect(matches({ dangling: ['true', 'T'] }, dangling)).toBe(true);
  expect(() => matches({ dangling: ['maybe'] }, view())).toThrow("invalid filter 'dangling=[maybe]'");
  expect(() => matches({ dangling: ['T'] }, view())).toThrow("invalid filter 'dangling=[T]'");
  expect(() => matches({ dangling: ['true', 'false'] }, view())).toThrow(
    "invalid filter 'dangling=[false true]'",
  );
  expect(() => matches({ dangling: [] }, view())).toThrow("invalid filter 'dangling'");
});

test('labels are matched by name or by name and value, all of them', () => {
  const labelled = view({ labels: { a: 'b', c: '' } });
  expect(matches({ label: ['a', 'a=b', 'c='] }, labelled)).toBe(true);
  expect(matches({ label: ['a=c'] }, labelled)).toBe(false);
  expect(matches({ label: ['toString'] }, labelled)).toBe(false);
  expect(matches({ 'label!': ['a'] }, labelled)).toBe(false);
  expect(matches({ 'label!': ['x'] }, labelled)).toBe(true);
});

test('before, since and until compare creation', () => {
  expect(matches({ before: ['x'] }, view())).toBe(true);
  expect(matches({ since: ['x'] }, view())).toBe(false);
  expect(matches({ until: ['24h'] }, view())).toBe(true);
  expect(matches({ until: ['1000h30m'] }, view())).toBe(false);
  expect(matches({ until: ['2026-10-01T00:00:01Z'] }, view())).toBe(true);
  expect(matches({ until: [String(Date.parse('2026-09-01T00:00:00Z') / 1000)] }, view())).toBe(false);
  expect(matches({ until: ['-1h'] }, view())).toBe(true);
  expect(matches({ until: ['24h', '1000h'] }, view())).toBe(false);
  // A day alone begins where the daemon is.
  const midnight = new Date(2026, 9, 1).toISOString();
  expect(matches({ until: ['2026-10-01'] }, view({ created: midnight }))).toBe(false);
  expect(matches({ until: ['2026-10-02'] }, view({ created: midnight }))).toBe(true);
  expect(() => matches({ until: ['soon'] }, view())).toThrow();
});

test('reference is a pattern on the familiar name', () => {
  expect(matches({ reference: ['busy*'] }, view())).toBe(true);
  expect(matches({ reference: ['busybox:1*', 'busybox:l*'] }, view())).toBe(true);
  expect(matches({ reference: ['other'] }, view())).toBe(false);
  expect(() => matches({ reference: ['['] }, view())).toThrow('syntax error in pattern');
});

test('an unknown filter is refused', () => {
  expect(() => matches({ colour: ['red'] }, view())).toThrow("invalid filter 'colour'");
});
