import { expect, test } from 'bun:test';
import type { Descriptor } from './descriptor.ts';
import type { Digest } from './digest.ts';
import {
  formatPlatform,
  matchesPlatform,
  normalizePlatform,
  parsePlatform,
  selectManifest,
} from './platform.ts';

const parse = (text: string): string => formatPlatform(parsePlatform(text));
let next = 0;
const entry = (platform: string | undefined, annotations?: Record<string, string>): Descriptor => ({
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  digest: `sha256:${(next++).toString(16).padStart(64, '0')}` as Digest,
  size: 1,
  ...(platform === undefined ? {} : { platform: raw(platform) }),
  ...(annotations === undefined ? {} : { annotations }),
});
function raw(text: string): { os: string; architecture: string; variant?: string } {
  const [os = '', architecture = '', variant] = text.split('/');
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}
const select = (wanted: string, ...offered: Descriptor[]): string | undefined => {
  const index = { mediaType: 'application/vnd.oci.image.index.v1+json', manifests: offered };
  const found = selectManifest(index, raw(wanted));
  return found.platform && formatPlatform(found.platform);
};

// containerd's platforms package: its tables of Parse and Normalize.
test("parsePlatform() normalises as containerd's", () => {
  expect(parse('linux/amd64')).toBe('linux/amd64');
  expect(parse('linux/x86_64')).toBe('linux/amd64');
  expect(parse('linux/amd64/v1')).toBe('linux/amd64');
  expect(parse('linux/amd64/v3')).toBe('linux/amd64/v3');
  expect(parse('linux/arm64')).toBe('linux/arm64');
  expect(parse('linux/arm64/v8')).toBe('linux/arm64');
  expect(parse('linux/aarch64')).toBe('linux/arm64');
  expect(parse('linux/arm')).toBe('linux/arm/v7');
  expect(parse('linux/arm/7')).toBe('linux/arm/v7');
  expect(parse('linux/armhf')).toBe('linux/arm/v7');
  expect(parse('linux/armel')).toBe('linux/arm/v6');
  expect(parse('linux/i386')).toBe('linux/386');
  expect(parse('s390x')).toBe('linux/s390x');
  expect(parse('macOS/arm64')).toBe('darwin/arm64');
});

test('parsePlatform() refuses what is none', () => {
  for (const text of ['', 'linux/', '/amd64', 'linux/amd64/v1/x', 'linux/arm 64', 'a\nb'])
    expect(() => parsePlatform(text)).toThrow(/specifier/);
  // As docker 28.2 says it.
  for (const [text, message] of [
    ['x/y/z/w', '"x/y/z/w": cannot parse platform specifier: invalid argument'],
    ['zzz', '"zzz": unknown operating system or architecture: invalid argument'],
    [
      'linux/',
      '"" is an invalid component of "linux/": platform specifier component must match "^[A-Za-z0-9_.-]+$": invalid argument',
    ],
    [
      'a b',
      String.raw`"a b" is an invalid OS component of "a b": OSAndVersion specifier component must match "^([A-Za-z0-9_-]+)(?:\\(([A-Za-z0-9_.-]*)\\))?$": invalid argument`,
    ],
  ] as const)
    expect(() => parsePlatform(text)).toThrow(message);
});

test('selectManifest() takes the best, older variants where it must', () => {
  expect(select('linux/amd64', entry('linux/arm64'), entry('linux/amd64'))).toBe('linux/amd64');
  expect(select('linux/amd64', entry('linux/386'), entry('linux/amd64'))).toBe('linux/amd64');
  expect(select('linux/amd64', entry('linux/386'))).toBe('linux/386');
  expect(select('linux/amd64/v3', entry('linux/amd64'), entry('linux/amd64/v2'))).toBe('linux/amd64/v2');
  expect(select('linux/arm/v7', entry('linux/arm/v5'), entry('linux/arm/v6'))).toBe('linux/arm/v6');
  expect(select('linux/arm64', entry('linux/arm/v7'), entry('linux/arm64/v8'))).toBe('linux/arm64/v8');
  expect(select('linux/arm64', entry('linux/arm/v6'), entry('linux/arm/v7'))).toBe('linux/arm/v7');
  expect(select('linux/arm64/v9', entry('linux/arm64'), entry('linux/arm64/v8.5'))).toBe('linux/arm64/v8.5');
});

test('selectManifest() skips attestations and newer variants; an entry without platform is the last resort', () => {
  const attestation = entry('unknown/unknown', { 'vnd.docker.reference.type': 'attestation-manifest' });
  expect(select('linux/amd64', attestation, entry(undefined))).toBeUndefined();
  expect(select('linux/amd64', entry(undefined), entry('linux/amd64'))).toBe('linux/amd64');
  for (const offered of ['linux/amd64/v3', 'windows/amd64', 'unknown/unknown'])
    expect(() => select('linux/amd64', entry(offered))).toThrow(
      'no matching manifest for linux/amd64 in the manifest list entries',
    );
  expect(() => select('linux/arm/v6', entry('linux/arm/v7'))).toThrow(/linux\/arm\/v6/);
});

test('matchesPlatform() is of one way', () => {
  expect(matchesPlatform(raw('linux/arm/v7'), raw('linux/arm/v6'))).toBe(true);
  expect(matchesPlatform(raw('linux/arm/v6'), raw('linux/arm/v7'))).toBe(false);
  expect(normalizePlatform(raw('/amd64'))).toEqual({ os: 'linux', architecture: 'amd64' });
});
