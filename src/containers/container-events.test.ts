import { afterEach, beforeEach, expect, test } from 'bun:test';
import { failureOf } from '../../test/support/failure-of.ts';
import { sleepProgram } from '../runtime/testing/fake-programs.ts';
import { bootDaemon, FakeMachine, type TestDaemon, testConfig, testHost } from './testing/service-fixture.ts';

// The order in which Docker 28.5 tells of these, action by action.
let machine: FakeMachine;
let daemon: TestDaemon;
beforeEach(async () => {
  machine = new FakeMachine();
  daemon = await bootDaemon(machine, {
    sleep: sleepProgram,
    true: async () => 0,
    locked: 'not-executable',
  });
});
afterEach(async () => {
  await daemon.service.close();
  machine.remove();
});

async function create(command: string, autoRemove = false): Promise<void> {
  const host = testHost({ autoRemove });
  await daemon.service.create({ name: 'box', config: testConfig(command), host, platform: undefined });
}

test('stop: the signals, the network left, "stop" before "die"', async () => {
  await create('sleep');
  await daemon.service.start('box');
  await daemon.service.stop('box', { signal: undefined, timeoutSeconds: 0 });
  expect(daemon.events).toEqual(['create', 'connect', 'start', 'kill', 'kill', 'disconnect', 'stop', 'die']);
});

test('rm -f: one kill', async () => {
  await create('sleep');
  await daemon.service.start('box');
  await daemon.service.remove('box', { force: true, volumes: false });
  expect(daemon.events.slice(3)).toEqual(['kill', 'disconnect', 'die', 'destroy']);
});

test('a start that failed has no "die", only the network is left', async () => {
  await create('locked');
  await failureOf(daemon.service.start('box'));
  expect(daemon.events).toEqual(['create', 'disconnect']);
});
