import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { must } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

interface Usage {
  LayersSize: number;
  Images: { Containers: number }[] | null;
  Containers: { SizeRw?: number; SizeRootFs?: number }[] | null;
  Volumes: unknown[] | null;
  BuildCache: unknown[] | null;
  Owners?: { Name: string; Size: number }[];
}

describe.each(['erofs', 'overlay'])('%s', (driver) => {
  let seeds: SeedRegistry;
  let engine: TestDaemon;

  beforeAll(async () => {
    await must(['ip', 'link', 'set', 'lo', 'up']);
    seeds = await startSeedRegistry();
    engine = await startDaemon({ mirrors: [seeds.url], driver });
    await engine.pull('busybox', 'hello-world');
    await engine.out([
      'run',
      '--name',
      'big',
      'busybox',
      'dd',
      'if=/dev/zero',
      'of=/big',
      'bs=1M',
      'count=20',
    ]);
    await engine.out(['create', 'hello-world']);
  });
  afterAll(async () => {
    await engine.close();
    await seeds.close();
  });

  const df = async (query = ''): Promise<Usage> =>
    JSON.parse((await engine.api('GET', `/system/df${query}`)).body) as Usage;

  test('every byte of the data root has an owner: the sum is what du counts', async () => {
    const { Owners = [], LayersSize, Images, Containers } = await df();
    const sum = Owners.reduce((total, { Size }) => total + Size, 0);
    const counted = Number((await must(['du', '-sxB1', engine.dataRoot])).split('\t')[0]);
    expect(Math.abs(sum - counted) / counted).toBeLessThan(0.01);
    expect(Owners.find(({ Name }) => Name === 'images')?.Size).toBe(LayersSize);
    expect(Images?.map((image) => image.Containers)).toEqual([1, 1]);
    const written = Containers?.find(({ SizeRw }) => (SizeRw ?? 0) > 20_000_000);
    expect(written?.SizeRootFs ?? 0).toBeGreaterThan(written?.SizeRw ?? 0);
  });

  test('a type alone leaves out the others; an unknown one is refused', async () => {
    expect(await df('?type=container')).toMatchObject({
      LayersSize: 0,
      Images: null,
      Volumes: null,
      BuildCache: null,
    });
    expect(await df('?type=image&type=volume')).toMatchObject({
      Containers: null,
      BuildCache: null,
      Volumes: [],
    });
    expect(await engine.api('GET', '/system/df?type=bad')).toEqual({
      status: 400,
      body: '{"message":"unknown object type: bad"}\n',
    });
  });

  test('the stock client prints it', async () => {
    const rows = (
      await engine.out(['system', 'df', '--format', '{{.Type}} {{.TotalCount}} {{.Active}}'])
    ).split('\n');
    expect(rows).toEqual(['Images 2 2', 'Containers 2 0', 'Local Volumes 0 0', 'Build Cache 0 0']);
    expect(await engine.out(['system', 'df', '-v'])).toContain('busybox');
  });
});
