import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { busyboxBinary } from './bench-image.ts';
import type { BenchRow } from './bench-row.ts';
import { inTurn } from './in-turn.ts';
import type { PrivateSampan } from './private-sampan.ts';
import { findProgram, runCommand } from './run-command.ts';
import type { Setting } from './setting.ts';

const DEFAULT_RUNS = 15;
const NAME = 'floor-pattern';

/**
 * `sampan run --network none` beside the bare runtime on the bundle that the daemon makes for it (own copy of the file system, entered
 * from outside by nsenter, which costs about a millisecond).
 *
 * @throws Error when the daemon isn't the bench's own or its bundle can't be found.
 */
export async function floorBench(setting: Setting): Promise<BenchRow> {
  const daemon = setting.ownDaemon;
  if (daemon === undefined)
    throw new Error('the bundles of the daemon named by --socket are not ours to read');
  const runtime = findProgram('crun') ?? findProgram('runc');
  if (runtime === undefined) throw new Error('Cannot find crun or runc');
  const image = await setting.busybox();
  const client = (args: string[]) => setting.runClient(setting.sampanCli, setting.sampan, args);
  client(['run', '-d', '--name', NAME, '--network', 'none', image, 'sleep', '600']);
  try {
    const bundle = copyBundle(daemon, setting.folder);
    const enter = [findProgram('nsenter') ?? 'nsenter', '-t', String(daemon.pid), '-m', '--'];
    const bare = [
      ...enter,
      runtime,
      '--root',
      join(setting.folder, 'floor-state'),
      'run',
      '--bundle',
      bundle,
    ];
    let count = 0;
    const [sampan = [], other] = await inTurn(
      [
        { work: () => client(['run', '--rm', '--network', 'none', image, 'true']) },
        { work: () => runCommand([...bare, `floor-${count++}`]) },
      ],
      setting.options.runs ?? DEFAULT_RUNS,
    );
    return {
      what: '`run --rm busybox true`, no network, own client',
      unit: 'ms',
      sampan,
      other,
      otherName: `${runtime.split('/').at(-1)} alone`,
      goal: undefined,
    };
  } finally {
    client(['rm', '-f', NAME]);
  }
}

/** The only running container's bundle, for another file system, command and cgroup. */
function copyBundle(daemon: PrivateSampan, folder: string): string {
  const tasks = join(daemon.execRoot, 'tasks');
  const found = readdirSync(tasks, { recursive: true, encoding: 'utf8' }).find((path) =>
    path.endsWith('config.json'),
  );
  if (found === undefined) throw new Error('Cannot find the bundle of a running container');
  const config: Bundle = JSON.parse(readFileSync(join(tasks, found), 'utf8'));
  const bundle = join(folder, 'floor');
  makeRootfs(join(bundle, 'rootfs'));
  config.root.path = join(bundle, 'rootfs');
  config.process.args = ['/bin/true'];
  config.linux.cgroupsPath = `${daemon.cgroup}/floor`;
  for (const namespace of config.linux.namespaces) if (namespace.type === 'network') delete namespace.path;
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(config));
  return bundle;
}

interface Bundle {
  root: { path: string };
  process: { args: string[] };
  linux: { cgroupsPath: string; namespaces: { type: string; path?: string }[] };
}

function makeRootfs(rootfs: string): void {
  for (const folder of ['bin', 'dev', 'etc', 'proc', 'root', 'sys', 'tmp'])
    mkdirSync(join(rootfs, folder), { recursive: true });
  writeFileSync(join(rootfs, 'bin/busybox'), busyboxBinary());
  chmodSync(join(rootfs, 'bin/busybox'), 0o755);
  symlinkSync('busybox', join(rootfs, 'bin/true'));
}
