import { expect, test } from 'bun:test';
import { chainIds } from './chain-id.ts';
import type { DiffId } from './digest.ts';
import { parseImageConfig } from './image-config.ts';
import { renderImageConfig } from './render-image-config.ts';

const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const DIFF = `sha256:${'1'.repeat(64)}`;

const document = {
  architecture: 'arm64',
  variant: 'v8',
  os: 'linux',
  created: '2026-01-02T03:04:05.123456789Z',
  author: 'a <a@example.com>',
  config: {
    User: '1000:1000',
    ExposedPorts: { '53/udp': {}, '80/tcp': {} },
    Env: ['PATH=/bin', 'A=b'],
    Entrypoint: ['/entry'],
    Cmd: ['x', 'y'],
    Volumes: { '/data': {} },
    WorkingDir: '/w',
    Labels: { a: 'b' },
    StopSignal: 'SIGINT',
    Shell: ['/bin/bash', '-c'],
    OnBuild: ['RUN x'],
    Healthcheck: { Test: ['CMD', 'true'], Interval: 5_000_000_000, Retries: 3 },
    ArgsEscaped: true,
  },
  rootfs: { type: 'layers', diff_ids: [DIFF] },
  history: [
    { created: '2026-01-01T00:00:00Z', created_by: 'ADD x', empty_layer: false },
    { empty_layer: true },
  ],
};

test("parseImageConfig() reads OCI's and Docker's fields", () => {
  const config = parseImageConfig(bytes(document));
  expect(config.platform).toEqual({ os: 'linux', architecture: 'arm64', variant: 'v8' });
  expect(config.created).toBe('2026-01-02T03:04:05.123456789Z');
  expect(config.diffIds as string[]).toEqual([DIFF]);
  expect(config.config).toMatchObject({
    user: '1000:1000',
    exposedPorts: ['53/udp', '80/tcp'],
    entrypoint: ['/entry'],
    volumes: ['/data'],
    stopSignal: 'SIGINT',
    onBuild: ['RUN x'],
    argsEscaped: true,
    healthcheck: { test: ['CMD', 'true'], intervalNs: 5_000_000_000n, timeoutNs: 0n, retries: 3 },
  });
  expect(config.history.map(({ createdBy, emptyLayer }) => [createdBy, emptyLayer])).toEqual([
    ['ADD x', false],
    ['', true],
  ]);
});

test('null and absent are the same, as in Go', () => {
  const nulls = { Env: null, Cmd: null, Labels: null, ExposedPorts: null, Healthcheck: null, OnBuild: null };
  const config = parseImageConfig(
    bytes({
      architecture: 'amd64',
      os: 'linux',
      config: nulls,
      rootfs: { type: 'layers', diff_ids: null },
      history: null,
    }),
  );
  expect(config.config).toMatchObject({ env: [], cmd: undefined, labels: {}, healthcheck: undefined });
  expect(parseImageConfig(bytes({ rootfs: {}, config: null })).config.env).toEqual([]);
});

test('parseImageConfig() names the field that is wrong', () => {
  const cases: [object, RegExp][] = [
    [{ rootfs: undefined }, /image config\.rootfs: expected an object/],
    [{ rootfs: { type: 'base' } }, /rootfs\.type/],
    [{ rootfs: { diff_ids: ['sha256:x'] } }, /rootfs\.diff_ids\[0\]/],
    [{ rootfs: { diff_ids: Array(1025).fill(DIFF) } }, /at most 1024/],
    [{ config: { Env: 'A=b' } }, /config\.Env: expected an array/],
    [{ config: { Env: [1] } }, /config\.Env\[0\]/],
    [{ config: { Labels: { a: {} } } }, /config\.Labels\.a/],
    [{ config: { Healthcheck: { Interval: 1.5 } } }, /Healthcheck\.Interval/],
    [{ config: { Healthcheck: { Retries: -1 } } }, /Healthcheck\.Retries/],
    [{ config: { ExposedPorts: [] } }, /ExposedPorts/],
    [{ history: [null] }, /history\[0\]/],
    [{ history: Array(10_001).fill({}) }, /at most 10000/],
    [{ os: 5 }, /image config\.os/],
  ];
  for (const [change, message] of cases)
    expect(() => parseImageConfig(bytes({ ...document, ...change }))).toThrow(message);
});

test('renderImageConfig() gives back what was read', () => {
  const config = parseImageConfig(bytes(document));
  expect(parseImageConfig(renderImageConfig(config))).toEqual(config);
  const minimal = parseImageConfig(
    bytes({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [] } }),
  );
  expect(JSON.parse(new TextDecoder().decode(renderImageConfig(minimal)))).toEqual({
    architecture: 'amd64',
    config: {},
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [] },
  });
});

test('chainIds() hashes parent, blank, diff', () => {
  const [a, b, c] = ['1', '2', '3'].map((digit) => `sha256:${digit.repeat(64)}` as DiffId);
  // printf 'sha256:1…1 sha256:2…2' | sha256sum, then the result with sha256:3…3
  expect(chainIds([a!, b!, c!]) as string[]).toEqual([
    a!,
    'sha256:9932074217c35353d2e03a3f5a86549f7c67bfeb0ba53e23d69f4d4c8f7958f5',
    'sha256:50127c0d6b338be78246434b4bce23ecf75e505158ea0bbd15effeb162fbf3ec',
  ]);
  expect(chainIds([])).toEqual([]);
});
