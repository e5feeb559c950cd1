import { expect, test } from 'bun:test';
import type { ContainerState } from '../../containers/container.ts';
import { stringifyJson } from '../../wire/json.ts';
import { containerView } from '../testing/fixtures.ts';
import { encodeContainer, encodeSummary, statusText } from './container.ts';

const SECOND = 1_000_000_000n;
const NOW = 1_700_000_000n * SECOND;
const view = (state: Partial<ContainerState> = {}) => {
  const made = containerView('c'.repeat(64));
  return { ...made, state: { ...made.state, ...state } };
};

test('states read as in docker ps', () => {
  const at = (state: Partial<ContainerState>) => statusText(view(state), NOW);
  expect(at({ status: 'running', startedAtNano: NOW - 5n * SECOND })).toBe('Up 5 seconds');
  expect(at({ status: 'paused', startedAtNano: NOW - 7200n * SECOND })).toBe('Up 2 hours (Paused)');
  expect(at({ status: 'exited', exitCode: 0, finishedAtNano: NOW - 180n * SECOND })).toBe(
    'Exited (0) 3 minutes ago',
  );
  expect(at({ status: 'exited', exitCode: 3, finishedAtNano: NOW })).toBe(
    'Exited (3) Less than a second ago',
  );
  expect(at({ status: 'exited', finishedAtNano: 0n })).toBe('');
  expect(at({ status: 'created' })).toBe('Created');
  expect(at({ status: 'dead' })).toBe('Dead');
  expect(at({ status: 'removing' })).toBe('Removal In Progress');
  expect(at({ status: 'restarting', exitCode: 1, finishedAtNano: NOW - SECOND })).toBe(
    'Restarting (1) 1 second ago',
  );
});

test('times keep their nanoseconds, limits their digits, and never is the zero time', () => {
  const made = view({ startedAtNano: NOW + 123_456_789n });
  made.host = {
    ...made.host,
    resources: { ...made.host.resources, memoryBytes: 9_223_372_036_854_775_807n },
  };
  const text = stringifyJson(encodeContainer(made, undefined));
  expect(text).toContain('"StartedAt":"2023-11-14T22:13:20.123456789Z","FinishedAt":"0001-01-01T00:00:00Z"');
  expect(text).toContain('"Memory":9223372036854775807,');
});

test('options that were left open are shown as what they became', () => {
  const { HostConfig, Config } = encodeContainer(
    { ...view(), host: { ...view().host, networkMode: 'default', shmSizeBytes: 0, ipcMode: '' } },
    undefined,
  );
  expect(HostConfig).toMatchObject({
    NetworkMode: 'bridge',
    ShmSize: 67_108_864,
    IpcMode: 'private',
    LogConfig: { Type: 'json-file', Config: {} },
  });
  expect([Config.Entrypoint, Config.Env, Config.Volumes]).toEqual([null, null, null]);
});

test('a list that was given empty is shown empty, one that was left out as null', () => {
  const shown = (emptyLists: string[]) =>
    encodeContainer({ ...view(), host: { ...view().host, emptyLists } }, undefined).HostConfig;
  expect(shown(['Dns', 'Devices', 'PortBindings'])).toMatchObject({
    Dns: [],
    Devices: [],
    PortBindings: {},
    DnsSearch: null,
    Ulimits: null,
  });
  expect(shown([])).toMatchObject({ Dns: null, Devices: null, PortBindings: null });
});

test('the command line quotes what holds a blank', () => {
  const made = { ...view(), path: 'sh', args: ['-c', 'echo a b', 'x'] };
  const { Command, Names } = encodeSummary(made, { nowNano: NOW, image: 'busybox', size: undefined });
  expect([Command, Names]).toEqual(["sh -c 'echo a b' x", [`/${made.name}`]]);
});
