import { expect, test } from 'bun:test';
import type { ContainerConfig, HostOptions } from './container.ts';
import { checkBuiltOptions, checkRuntimeName, warningsOf } from './unbuilt-options.ts';

function config(change: Partial<ContainerConfig> = {}): ContainerConfig {
  return { volumes: [], healthcheck: undefined, ...change } as ContainerConfig;
}

function host(change: Partial<HostOptions> = {}): HostOptions {
  return {
    networkMode: '',
    pidMode: '',
    ipcMode: '',
    logConfig: { type: '', config: {} },
    ...change,
  } as HostOptions;
}

test('what nobody knows fails in Docker words', () => {
  expect(() => checkBuiltOptions(config(), host({ ipcMode: 'bogus' }))).toThrow('invalid IPC mode: bogus');
  expect(() => checkRuntimeName('kata', 'crun')).toThrow('unknown or invalid runtime name: kata');
});

test('plain requests pass, and say nothing', () => {
  for (const plain of [host(), host({ pidMode: 'host', ipcMode: 'shareable' })]) {
    checkBuiltOptions(config(), plain);
    expect(warningsOf(config())).toEqual([]);
  }
  checkRuntimeName('', 'crun');
  checkRuntimeName('crun', 'crun');
});

test('what is kept without effect is told', () => {
  const healthcheck = {
    test: ['CMD', 'true'],
    intervalNs: 0n,
    timeoutNs: 0n,
    startPeriodNs: 0n,
    startIntervalNs: 0n,
    retries: 0,
  };
  expect(warningsOf(config({ healthcheck }))).toEqual([
    'Health checks are not run yet. The health check is kept, without effect.',
  ]);
  expect(warningsOf(config({ healthcheck: { ...healthcheck, test: ['NONE'] } }))).toEqual([]);
});
