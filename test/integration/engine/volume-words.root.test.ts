import { afterAll, beforeAll, expect, test } from 'bun:test';
import { must } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

// The stock client and ours, one after the other against one daemon of ours: every byte and the exit code are the same.
let seeds: SeedRegistry;
let engine: TestDaemon;

beforeAll(async () => {
  await must(['ip', 'link', 'set', 'lo', 'up']);
  seeds = await startSeedRegistry();
  engine = await startDaemon({ mirrors: [seeds.url] });
  await engine.pull('busybox');
});
afterAll(async () => {
  await engine.close();
  await seeds?.close();
});

/** A container with one volume that nobody named; the volume's name. */
async function useVolume(): Promise<{ container: string; volume: string }> {
  const container = await engine.out(['create', '-v', '/data', 'busybox']);
  const volume = await engine.out(['inspect', '-f', '{{(index .Mounts 0).Name}}', container]);
  return { container, volume };
}

test.each([
  ['volume ls'],
  ['volume ls -q'],
  ['volume ls --format json'],
  ['volume ls --format raw'],
  ['volume ls -q --format raw'],
  ['volume ls --format {{.Name}}:{{.Driver}}:{{.Links}}:{{.Label "com.docker.volume.anonymous"}}'],
  ['volume ls --format {{.Nope}}'],
  ['volume ls -f dangling=false -q'],
  ['volume ls -f dangling=maybe'],
  ['volume inspect VOLUME nosuch'],
  ['volume inspect -f {{.Mountpoint}} VOLUME'],
  ['volume inspect a/b'],
  ['volume rm VOLUME nosuch'],
  ['volume rm -f nosuch'],
  ['volume prune'],
  ['volume prune -f'],
  ['volume prune -a --filter all=1'],
  ['volume prune -f --filter bogus=1'],
  ['volume create VOLUME'],
  ['volume create --name two VOLUME'],
  ['volume create x'],
  ['volume create a/b'],
  ['volume create -d nosuch other'],
  ['volume create -o foo=1 other'],
  ['volume create -o type=tmpfs other'],
  ['volume create -o size=10m other'],
  ['volume ls -f label=nosuch -q'],
  ['volume ls -f name=[ -q'],
  ['volume ls -f driver=local -q'],
  ['create -v n:/t --name drive busybox'],
  ['create -v VOLUME:/t:bogus busybox'],
  ['create --mount type=bind,src=/tmp,dst=/t,bind-propagation=x busybox'],
  ['create --mount type=npipe,src=x,dst=/t busybox'],
  ['create --volumes-from nosuch busybox'],
  ['create -v /tmp:/t --tmpfs /t busybox'],
])('%s', async (line) => {
  const { container, volume } = await useVolume();
  const words = line.replaceAll('VOLUME', volume).split(/ (?!")/);
  const stock = await engine.run(words);
  await engine.run(['rm', '-v', 'drive']);
  const ours = await engine.run(words, { client: 'sampan' });
  await engine.run(['rm', '-v', 'drive']);
  const withoutIds = ({ stdout, ...rest }: typeof ours) => ({
    ...rest,
    stdout: words[0] === 'create' ? stdout.replace(/[0-9a-f]{64}/, 'ID') : stdout,
  });
  expect(withoutIds(ours)).toEqual(withoutIds(stock));
  await engine.out(['rm', '-v', container]);
});

test('a volume that no container has is removed, by name and by a prune', async () => {
  for (const client of ['docker', 'sampan'] as const) {
    const [first, second] = [await useVolume(), await useVolume()];
    await engine.out(['rm', first.container, second.container]);
    expect(await engine.run(['volume', 'rm', first.volume, first.volume], { client })).toEqual({
      stdout: `${first.volume}\n`,
      stderr: `Error response from daemon: get ${first.volume}: no such volume\n`,
      code: 1,
    });
    expect(await engine.out(['volume', 'prune', '-f'], { client })).toStartWith(
      `Deleted Volumes:\n${second.volume}\n\nTotal reclaimed space: `,
    );
  }
  expect(await engine.out(['volume', 'ls', '-q'])).toBe('');
});
