import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { eventually, must, type RunningCommand, start } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

// Programs that use the library as a user's would: `import 'sampan'` in Node and in Bun.
const RUNTIMES = [
  ['node', ['node', '--expose-gc']],
  ['bun', [process.execPath]],
] as const;

interface Made {
  tied: string[];
  kept: string;
  volume: string;
}

let registry: SeedRegistry | undefined;
let engine: TestDaemon;

beforeAll(async () => {
  await must(['node', resolve(import.meta.dir, '../../../scripts/build-library.mjs')]);
  registry = await startSeedRegistry();
  engine = await startDaemon({ mirrors: [registry.url] });
});
afterEach(async () => {
  if (engine.runningPid === undefined) await engine.start();
  await engine.removeContainers();
  await engine.out(['volume', 'prune', '-af']);
});
afterAll(async () => {
  await engine.close();
  await registry?.close();
});

const program = (name: string) => resolve(import.meta.dir, 'programs', name);

function begin(runtime: readonly string[], manner: string): RunningCommand {
  return start([...runtime, program('tied.mjs'), manner], { env: engine.env });
}

async function madeBy(command: RunningCommand): Promise<Made> {
  await command.until(/\n/);
  return JSON.parse(command.seen.stdout) as Made;
}

const containers = async () => (await engine.out(['ps', '-aq', '--no-trunc'])).split('\n').filter(Boolean);
const volumes = async () => (await engine.out(['volume', 'ls', '-q'])).split('\n').filter(Boolean);

async function expectOnlyKept({ kept }: Made): Promise<void> {
  await eventually(async () => (await containers()).length === 1 && (await volumes()).length === 0, {
    timeoutMs: 30_000,
    what: () => `what was tied to go:\n${engine.log.slice(-2000)}`,
  });
  expect(await containers()).toEqual([kept]);
  expect(await engine.inspect(kept)).toMatchObject({ State: { Running: true } });
}

describe.each(RUNTIMES)('in %s', (name, runtime) => {
  test('a program runs, talks, copies, builds and leaves nothing', async () => {
    const folder = join(engine.root, `everyday-${name}`);
    mkdirSync(folder);
    await engine.run(['rmi', '-f', 'busybox']);
    const printed = await must([...runtime, program('everyday.mjs'), folder], {
      env: engine.env,
      timeoutMs: 110_000,
    });
    expect(printed).toBe('done\n');
    rmSync(folder, { recursive: true });
  });

  test('kill -9 takes what is tied along', async () => {
    const command = begin(runtime, 'stay');
    const made = await madeBy(command);
    expect((await containers()).sort()).toEqual([...made.tied, made.kept].sort());
    command.child.kill('SIGKILL');
    await command.end();
    await expectOnlyKept(made);
  });

  test.each(['end', 'throw'])('so does a program whose way is %p', async (manner) => {
    const command = begin(runtime, manner);
    const made = await madeBy(command);
    const { code } = await command.end();
    expect(code).toBe(manner === 'end' ? 0 : 1);
    await expectOnlyKept(made);
  });

  test('a daemon that was killed and came back is found again, and what is tied stays tied', async () => {
    const command = begin(runtime, 'stay');
    const made = await madeBy(command);
    await engine.restart('SIGKILL');
    // Longer than a daemon waits for those who don't come back.
    await Bun.sleep(12_000);
    expect((await containers()).sort()).toEqual([...made.tied, made.kept].sort());
    command.child.kill('SIGKILL');
    await command.end();
    await expectOnlyKept(made);
  });

  test('a process that dies while the daemon is away is missed when it is back', async () => {
    const command = begin(runtime, 'stay');
    const made = await madeBy(command);
    await engine.stop('SIGTERM');
    command.child.kill('SIGKILL');
    await command.end();
    await engine.start();
    expect((await containers()).length).toBe(3);
    await expectOnlyKept(made);
  });
});

const ANNOTATION = 'io.sampan.lifeline';

test('on a lifeline that nobody holds nothing is made', async () => {
  await engine.pull('busybox');
  const body = { Image: 'busybox', HostConfig: { Annotations: { [ANNOTATION]: 'a'.repeat(64) } } };
  const refused = await engine.api('POST', '/containers/create', body);
  expect(refused.status).toBe(409);
  expect(refused.body).toContain('Nobody holds lifeline');
  const volume = await engine.api('POST', '/volumes/create', { Labels: { [ANNOTATION]: 'a'.repeat(64) } });
  expect(volume.status).toBe(409);
  expect(await containers()).toEqual([]);
  expect((await engine.api('POST', '/lifelines/short')).status).toBe(400);
});

test('two connections hold one lifeline, and an image of what hangs on it does not', async () => {
  const id = 'b'.repeat(64);
  const holds = [1, 2].map(() => new AbortController());
  const [first, second] = holds;
  const answers: Response[] = [];
  for (const { signal } of holds)
    answers.push(await fetch(`http://d/lifelines/${id}`, { method: 'POST', unix: engine.socket, signal }));
  expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  const body = { Image: 'busybox', Cmd: ['sleep', '600'], HostConfig: { Annotations: { [ANNOTATION]: id } } };
  const { body: answer } = await engine.api('POST', '/containers/create', body);
  const { Id } = JSON.parse(answer) as { Id: string };
  await engine.out(['start', Id]);
  await engine.out(['commit', Id, 'committed']);
  await engine.out(['run', '-d', '--name', 'free', 'committed']);
  first?.abort();
  await Bun.sleep(500);
  expect(await containers()).toContain(Id);
  second?.abort();
  await eventually(async () => (await containers()).length === 1);
  expect(await engine.out(['ps', '--format', '{{.Names}}'])).toBe('free');
  // An answer that nothing reaches any more would be collected, and its connection with it.
  expect(answers.length).toBe(2);
});
