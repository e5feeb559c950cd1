// What a program does with the library, against the daemon of DOCKER_HOST; plain Node 18 and Bun. Argument: a folder of its own.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, readlinkSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiError, connect, EngineError } from 'sampan';

const [, , folder] = process.argv;
const text = (bytes) => Buffer.from(bytes).toString();
const engine = await connect();

/** The container's end is the scope's: what `await using` does. */
async function using(container, work) {
  try {
    await work(container);
  } finally {
    await container[Symbol.asyncDispose]();
  }
  assert.equal(await container.inspect().catch((error) => error.status), 404);
  await container.remove();
}

const script = 'echo one; echo two >&2; read line; echo "got $line $NAME"; exit 7';
const talking = await engine.create('busybox', {
  command: ['sh', '-c', script],
  env: { NAME: 'x y' },
  labels: { a: 'b' },
  stdin: true,
});
await using(talking, async () => {
  const attached = await talking.attach();
  await talking.start();
  await attached.end('in\n');
  assert.deepEqual(await attached.collect(), { stdout: 'one\ngot in x y\n', stderr: 'two\n' });
  assert.equal(await talking.wait(), 7);
  const lines = [];
  for await (const line of talking.logs().lines()) lines.push(line);
  lines.sort((a, b) => (a.text < b.text ? -1 : 1));
  assert.deepEqual(lines, [
    { stream: 'stdout', text: 'got in x y' },
    { stream: 'stdout', text: 'one' },
    { stream: 'stderr', text: 'two' },
  ]);
  const errors = [];
  for await (const part of talking.logs().only('stderr')) errors.push(text(part));
  assert.equal(errors.join(''), 'two\n');
  const last = await talking.logs({ tail: 1 }).collect();
  assert.equal((last.stdout + last.stderr).trimEnd().split('\n').length, 1);
  const apart = await talking.logs({ stderr: false }).collect();
  assert.deepEqual(apart, { stdout: 'one\ngot in x y\n', stderr: '' });
});

const terminal = await engine.run('busybox', {
  command: ['sh', '-c', 'echo on a terminal; sleep 600'],
  tty: true,
});
await using(terminal, async () => {
  assert.equal(await terminal.waitForLog('terminal'), 'on a terminal');
});

const volume = await engine.volumes.create();
const box = await engine.run('busybox', {
  command: ['sh', '-c', 'sleep 0.3; echo ready; touch /tmp/up; exec sleep 600'],
  mounts: [volume.at('/data'), { type: 'tmpfs', target: '/scratch' }],
  health: { test: 'test -e /tmp/up', intervalMs: 100 },
});
await using(box, async () => {
  assert.equal(await box.waitForLog(/^ready$/), 'ready');
  await box.waitForHealthy();
  await assert.rejects(box.waitForLog('never', { timeoutMs: 200 }), /Waited 200 ms for a line with never/);
  await assert.rejects(
    box.address(80),
    (error) => error instanceof EngineError && error.kind === 'not-found',
  );
  await assert.rejects(volume.remove(), (error) => error instanceof ApiError && error.status === 409);

  const failed = await box.exec(['sh', '-c', 'cat; echo err >&2; pwd; exit 3'], {
    input: 'fed ',
    workingDirectory: '/data',
  });
  assert.deepEqual(failed, { exitCode: 3, stdout: 'fed /data\n', stderr: 'err\n' });
  const unread = await box.exec(['true'], { input: Buffer.alloc(4_000_000) });
  assert.equal(unread.exitCode, 0);
  const big = await box.exec(['head', '-c', '5000000', '/dev/zero']);
  assert.equal(big.stdout.length, 5_000_000);
  await assert.rejects(
    box.exec(['head', '-c', '5000000', '/dev/zero'], { maxBytes: 1000 }),
    (error) => error.code === 'size-exceeded',
  );

  const cat = await box.spawn(['cat'], { stdin: true });
  const echoed = cat.lines();
  await cat.write('first\n');
  assert.deepEqual((await echoed.next()).value, { stream: 'stdout', text: 'first' });
  await cat.end('second');
  assert.deepEqual((await echoed.next()).value, { stream: 'stdout', text: 'second' });
  assert.equal((await echoed.next()).done, true);
  assert.equal(await cat.exitCode(), 0);
  const endless = await box.spawn(['yes']);
  for await (const { text: line } of endless.lines()) {
    assert.equal(line, 'y');
    break;
  }

  await box.writeFile('/data/note', 'text\n', { mode: 0o600, uid: 3 });
  assert.equal((await box.exec(['stat', '-c', '%a %u %s', '/data/note'])).stdout, '600 3 5\n');
  assert.equal(text(await box.readFile('/data/note')), 'text\n');
  await assert.rejects(box.readFile('/data'), /is no regular file/);
  await assert.rejects(box.readFile('/nosuch'), (error) => error.status === 404);
  assert.equal(await box.statPath('/nosuch'), undefined);

  const source = join(folder, 'source');
  const long = 'l'.repeat(150);
  mkdirSync(join(source, 'deep', long), { recursive: true });
  writeFileSync(join(source, 'deep', long, 'ü'), 'umlaut');
  writeFileSync(join(source, 'run.sh'), 'x'.repeat(700_001), { mode: 0o755 });
  writeFileSync(join(source, 'empty'), '');
  symlinkSync('deep/nowhere', join(source, 'link'));
  await box.copyTo(source, '/data');
  await box.copyTo(join(source, 'run.sh'), '/data', { name: 'other' });
  const { stdout } = await box.exec([
    'sh',
    '-c',
    'cd /data; stat -c "%a %s" source/run.sh other; readlink source/link',
  ]);
  assert.equal(stdout, '755 700001\n755 700001\ndeep/nowhere\n');
  const copy = join(folder, 'copy');
  await box.copyFrom('/data/source', copy);
  assert.equal(readFileSync(join(copy, 'deep', long, 'ü'), 'utf8'), 'umlaut');
  assert.equal(readFileSync(join(copy, 'run.sh')).length, 700_001);
  assert.equal(statSync(join(copy, 'run.sh')).mode & 0o777, 0o755);
  assert.equal(readlinkSync(join(copy, 'link')), 'deep/nowhere');
  await assert.rejects(box.copyFrom('/data/source', copy), /is there already/);

  assert.ok((await box.stats()).pids_stats.current >= 1);
  for await (const { read } of box.followStats()) {
    assert.match(read, /^\d{4}-/);
    break;
  }
});
await volume[Symbol.asyncDispose]();
assert.equal(await volume.inspect().catch((error) => error.status), 404);

await assert.rejects(engine.run('busybox', { command: ['/nosuch'] }), /no such file/);
await assert.rejects(engine.run('nosuch', { pull: 'never' }), /No such image: nosuch/);

const context = join(folder, 'context');
mkdirSync(context);
writeFileSync(
  join(context, 'Dockerfile'),
  'FROM busybox\nARG WHAT\nCOPY . /in/\nENV WHAT=$WHAT\nCMD ls /in; echo $WHAT\n',
);
writeFileSync(join(context, 'wanted'), '');
writeFileSync(join(context, 'unwanted'), '');
const image = await engine.build(context, {
  tags: ['made'],
  args: { WHAT: 'built' },
  wants: (path) => path !== 'unwanted',
});
assert.ok(await engine.images.exists('made'));
await using(await engine.run(image), async (container) => {
  assert.equal(await container.wait(), 0);
  assert.equal((await container.logs().collect()).stdout, 'Dockerfile\nwanted\nbuilt\n');
});
await assert.rejects(engine.build(context, { dockerfile: 'nosuch' }), /nosuch/);
await engine.images.remove('made', { force: true });
assert.equal(await engine.images.exists('made'), false);

await engine.run('busybox', { command: ['sleep', '600'] });
await engine.volumes.create({ labels: { some: 'label' } });
await engine.close();
assert.deepEqual(await engine.client.containers.list({ all: true }), []);
assert.deepEqual((await engine.client.volumes.list()).Volumes ?? [], []);
process.stdout.write('done\n');
