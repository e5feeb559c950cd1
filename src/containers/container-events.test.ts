import { afterEach, beforeEach, expect, test } from 'bun:test';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
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

async function create(command: string, volumes: string[] = []): Promise<void> {
  const config = testConfig(command, { volumes });
  await daemon.service.create({ name: 'box', config, host: testHost(), networks: [], platform: undefined });
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

test('volumes are told before the container that they are for, mounted before and left after the network', async () => {
  await create('sleep', ['/data']);
  await daemon.service.start('box');
  await daemon.service.remove('box', { force: true, volumes: true });
  expect(daemon.events).toEqual([
    'create',
    'create',
    'mount',
    'connect',
    'start',
    'kill',
    'disconnect',
    'unmount',
    'die',
    'destroy',
    'destroy',
  ]);
  expect(machine.db.volumes.size).toBe(0);
});

test('without -v the volumes stay', async () => {
  await create('true', ['/data']);
  await daemon.service.remove('box', { force: false, volumes: false });
  expect([machine.db.rows.size, machine.db.volumes.size]).toEqual([0, 1]);
});

test('a creation that is not recorded leaves no volume', async () => {
  machine.db.failing = true;
  await failureOf(create('true', ['/data']));
  machine.db.failing = false;
  expect([machine.db.volumes.size, machine.snapshots.size]).toEqual([0, 0]);
  expect(readdirSync(join(machine.directory, 'volumes'))).toEqual([]);
});
