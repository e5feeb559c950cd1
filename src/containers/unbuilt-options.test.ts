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

test('what is not built yet fails by name', () => {
  for (const [asked, text] of [
    [host({ networkMode: 'container:x' }), '--network container:x'],
    [host({ pidMode: 'container:x' }), '--pid container:x'],
    [host({ ipcMode: 'container:x' }), '--ipc container:x'],
    [
      host({ logConfig: { type: 'syslog', config: {} } }),
      "logger: no log driver named 'syslog' is registered",
    ],
  ] as const)
    expect(() => checkBuiltOptions(config(), asked), text).toThrow(text);
});

test('what nobody knows fails in Docker words', () => {
  expect(() => checkBuiltOptions(config(), host({ ipcMode: 'bogus' }))).toThrow('invalid IPC mode: bogus');
  const logConfig = { type: 'json-file', config: { foo: '1' } };
  expect(() => checkBuiltOptions(config(), host({ logConfig }))).toThrow(
    "unknown log opt 'foo' for json-file log driver",
  );
  expect(() => checkRuntimeName('kata', 'crun')).toThrow('unknown or invalid runtime name: kata');
});

test('plain requests pass, and say nothing', () => {
  for (const plain of [host(), host({ pidMode: 'host', ipcMode: 'shareable' })]) {
    checkBuiltOptions(config(), plain);
    expect(warningsOf(plain)).toEqual([]);
  }
  checkRuntimeName('', 'crun');
  checkRuntimeName('crun', 'crun');
});

test('what is kept without effect is told', () => {
  const logConfig = { type: 'json-file', config: { 'max-size': '1m' } };
  expect(warningsOf(host({ logConfig }))).toEqual(['Log options are without effect yet: max-size']);
});
