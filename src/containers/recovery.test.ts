import { expect, test } from 'bun:test';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { membershipOf } from './networking/container-networks.ts';
import { ServiceBench } from './testing/service-bench.ts';
import { testEndpoint } from './testing/service-fixture.ts';

const bench = new ServiceBench();

test('recovery: what runs runs on and is followed; the exit of what ended meanwhile is known', async () => {
  await bench.create('one', 'sleep');
  await bench.create('two', 'sleep');
  await bench.daemon.service.start('one');
  await bench.daemon.service.start('two');
  await bench.daemon.service.close();
  const task = [...bench.machine.tasks.tasks.values()].at(1);
  if (task !== undefined) await bench.daemon.runtime.kill(task.handle, 15);
  await bench.reboot();
  expect((await bench.exitOf('two')).exitCode).toBe(143);
  expect((await bench.stateOf('one')).status).toBe('running');
  await bench.daemon.service.kill('one', 'KILL');
  expect((await bench.exitOf('one')).exitCode).toBe(137);
});

test('recovery: what was paused or let go on without a note is what the kernel has it to be', async () => {
  const id = await bench.create('one', 'sleep');
  await bench.daemon.service.start('one');
  const [task] = bench.machine.tasks.tasks.values();
  if (task === undefined) throw new Error('There is no task');
  await bench.daemon.service.close();
  await bench.daemon.runtime.pause(task.handle);
  await bench.reboot();
  expect((await bench.stateOf('one')).status).toBe('paused');
  expect((await bench.daemon.notes.load()).get(id)?.paused).toBe(true);
  await bench.daemon.service.close();
  await bench.daemon.runtime.resume(task.handle);
  await bench.reboot();
  expect((await bench.stateOf('one')).status).toBe('running');
  expect((await bench.daemon.notes.load()).get(id)?.paused).toBe(false);
});

test('recovery: a task on several networks keeps every endpoint, in inspect and in events, and leaves them all', async () => {
  const id = await bench.create('one', 'sleep', { networks: [membershipOf('second')] });
  const second = testEndpoint(id, 'second');
  await bench.daemon.service.start('one');
  await bench.daemon.service.close();
  await bench.reboot();
  await bench.daemon.service.pause('one');
  await bench.daemon.service.unpause('one');
  expect((await bench.daemon.service.inspect('one')).endpoints).toMatchObject([
    { networkName: 'bridge', endpointId: `endpoint of ${id} on bridge`, ipv4Address: '10.9.8.2' },
    { networkName: 'second', endpointId: second.endpointId, ipv4Address: '10.9.8.2' },
  ]);
  expect([...bench.machine.endpoints]).toEqual([`endpoint of ${id} on bridge`, second.endpointId]);
  expect((await bench.daemon.notes.load()).get(id)?.endpoints).toHaveLength(2);
  await bench.daemon.service.stop('one', { signal: undefined, timeoutSeconds: 10 });
  await bench.daemon.service.close();
  expect(bench.daemon.events.filter((action) => action === 'disconnect')).toHaveLength(2);
  expect([...bench.machine.endpoints]).toEqual([]);
  expect((await bench.daemon.service.inspect('one')).endpoints).toMatchObject([
    { networkName: 'bridge', endpointId: '' },
    { networkName: 'second', endpointId: '' },
  ]);
});

test('recovery: what runs is brought to the networks of its record, which a daemon had no time for', async () => {
  const id = await bench.create('one', 'sleep');
  await bench.daemon.service.start('one');
  const note = (await bench.daemon.notes.load()).get(id);
  await bench.daemon.service.close();
  const left = testEndpoint(id, 'left');
  bench.machine.endpoints.add(left.endpointId);
  if (note !== undefined) bench.daemon.notes.write(id, { ...note, endpoints: [left] });
  await bench.reboot();
  expect([...bench.machine.endpoints]).toEqual([`endpoint of ${id} on bridge`]);
  expect((await bench.daemon.notes.load()).get(id)?.endpoints).toMatchObject([{ networkName: 'bridge' }]);
});

test.each([[true], [false]])(
  'recovery: a note of the version before, with an endpoint: %p',
  async (joined) => {
    const id = await bench.create('one', 'sleep');
    await bench.daemon.service.start('one');
    const note = (await bench.daemon.notes.load()).get(id);
    await bench.daemon.service.close();
    const { endpoints = [], ...rest } = note ?? {};
    const old = joined ? { ...rest, endpoint: endpoints[0] } : rest;
    writeFileSync(join(bench.daemon.paths.notes, `${id}.json`), JSON.stringify(old));
    await bench.reboot();
    expect(await bench.stateOf('one')).toMatchObject({ status: 'running' });
    expect([...bench.machine.endpoints]).toEqual([`endpoint of ${id} on bridge`]);
    expect((await bench.daemon.service.inspect('one')).endpoints).toMatchObject([
      { networkName: 'bridge', endpointId: `endpoint of ${id} on bridge` },
    ]);
  },
);

test('a start has its note before it is on disk, so that no death of the daemon leaves it without one', async () => {
  const id = await bench.create('one', 'sleep');
  const noted: boolean[] = [];
  const transact = bench.machine.db.transact.bind(bench.machine.db);
  bench.machine.db.transact = async (statements) => {
    if (statements.some(({ params }) => params?.some((value) => String(value).includes('"active":true'))))
      noted.push(existsSync(join(bench.daemon.paths.notes, `${id}.json`)));
    await transact(statements);
  };
  await bench.daemon.service.start('one');
  expect(noted).toEqual([true]);
});

test('recovery: an exit on disk is not guessed anew when the daemon died before its note went', async () => {
  const id = await bench.create('one', 'sleep');
  await bench.daemon.service.start('one');
  const note = (await bench.daemon.notes.load()).get(id);
  const ended = bench.exitOf('one');
  await bench.daemon.service.kill('one', 'TERM');
  await ended;
  await bench.daemon.service.close();
  if (note !== undefined) bench.daemon.notes.write(id, note);
  await bench.reboot();
  expect(await bench.stateOf('one')).toMatchObject({ status: 'exited', exitCode: 143, error: '' });
});

test('recovery: a task whose start is not on disk is killed, and nobody has started the container', async () => {
  const id = await bench.create('one', 'sleep');
  const before = bench.machine.db.rows.get(id) ?? '';
  await bench.daemon.service.start('one');
  await bench.daemon.service.close();
  bench.machine.db.rows.set(id, before);
  await bench.reboot();
  expect(await bench.stateOf('one')).toMatchObject({ status: 'created', exitCode: 0, error: '' });
  expect([
    ...bench.machine.tasks.tasks.keys(),
    ...bench.machine.namespaces,
    ...bench.machine.mounted,
  ]).toEqual([]);
  expect((await bench.daemon.notes.load()).size).toBe(0);
});
