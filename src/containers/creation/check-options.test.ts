import { expect, test } from 'bun:test';
import { checkIpcMode, checkRuntimeName } from './check-options.ts';

test('what nobody knows fails in Docker words', () => {
  expect(() => checkIpcMode({ ipcMode: 'bogus' })).toThrow('invalid IPC mode: bogus');
  expect(() => checkRuntimeName('kata', 'crun')).toThrow('unknown or invalid runtime name: kata');
});

test('plain requests pass', () => {
  for (const ipcMode of ['', 'shareable', 'container:x']) checkIpcMode({ ipcMode });
  for (const name of ['', 'runc', 'io.containerd.runc.v2']) checkRuntimeName(name, 'crun');
  checkRuntimeName('crun', 'crun');
});
