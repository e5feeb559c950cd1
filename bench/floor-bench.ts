import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { atOnce } from './at-once.ts';
import { busyboxBinary } from './bench-image.ts';
import type { BenchRow } from './bench-row.ts';
import { inTurn } from './in-turn.ts';
import type { PrivateSampan } from './private-sampan.ts';
import { findProgram, runCommand, runCommandAside } from './run-command.ts';
import type { Setting } from './setting.ts';

const DEFAULT_RUNS = 15;
const NAME = 'floor-pattern';
const CROWD = 50;
const CLIENTS = 8;
const CROWD_RUNS = 3;

/** What runs the bare runtime on the bundle that the daemon makes for `sampan run --network none`, in the daemon's mount namespace (about a millisecond). */
interface Floor {
  setting: Setting;
  image: string;
  runtime: string;
  /** The runtime's command line, up to its subcommand. */
  bare: (stateRoot: string) => string[];
  daemon: PrivateSampan;
  bundle: string;
}

/**
 * What we do beside the bare runtime doing it, which is the least that it can cost with this runtime.
 *
 * @throws Error when the daemon isn't the bench's own or its bundle can't be found.
 */
export async function floorBench(setting: Setting): Promise<BenchRow[]> {
  const daemon = setting.ownDaemon;
  if (daemon === undefined)
    throw new Error('the bundles of the daemon named by --socket are not ours to read');
  const runtime = findProgram('crun') ?? findProgram('runc');
  if (runtime === undefined) throw new Error('Cannot find crun or runc');
  const image = await setting.busybox();
  const client = (args: string[]) => setting.runClient(setting.sampanCli, setting.sampan, args);
  client(['run', '-d', '--name', NAME, '--network', 'none', image, 'sleep', '600']);
  try {
    const enter = [findProgram('nsenter') ?? 'nsenter', '-t', String(daemon.pid), '-m', '--'];
    const bare = (stateRoot: string) => [...enter, runtime, '--root', stateRoot];
    const bundle = copyBundle(daemon, setting.folder);
    const floor = { setting, image, runtime, bare, daemon, bundle };
    return [await runRow(floor), await execRow(floor), await crowdRow(floor)];
  } finally {
    client(['rm', '-f', NAME]);
  }
}

async function runRow({ setting, image, bundle, bare, runtime }: Floor): Promise<BenchRow> {
  const command = [...bare(join(setting.folder, 'floor-state')), 'run', '--bundle', bundle];
  let count = 0;
  const ours = ['run', '--rm', '--network', 'none', image, 'true'];
  const [sampan = [], other] = await inTurn(
    [
      { work: () => setting.runClient(setting.sampanCli, setting.sampan, ours) },
      { work: () => runCommand([...command, `floor-${count++}`]) },
    ],
    setting.options.runs ?? DEFAULT_RUNS,
  );
  return row('`run --rm busybox true`, no network, own client', { sampan, other, runtime });
}

/** Each after a pause: the kernel's wait when a process is moved to its cgroups is shorter just after another move. */
async function execRow({ setting, bare, daemon, runtime }: Floor): Promise<BenchRow> {
  const before = () => Bun.sleep(100);
  const command = [
    ...bare(join(daemon.execRoot, 'oci/crun')),
    'exec',
    await setting.sampan.idOf(NAME),
    '/bin/true',
  ];
  const [sampan = [], other] = await inTurn(
    [
      {
        before,
        work: () => setting.runClient(setting.sampanCli, setting.sampan, ['exec', NAME, '/bin/true']),
      },
      { before, work: () => runCommand(command) },
    ],
    setting.options.runs ?? DEFAULT_RUNS,
  );
  return row('`exec C true`, own client', { sampan, other, runtime });
}

async function crowdRow({ setting, image, bundle, bare, runtime }: Floor): Promise<BenchRow> {
  const names = Array.from({ length: CROWD }, (_, number) => `floor-many-${number}`);
  for (const name of names) crowdBundle(bundle, name);
  const command = bare(join(setting.folder, 'floor-state'));
  const started = { sampan: false, other: false };
  const timed = async (start: (name: string) => Promise<void>): Promise<number> => {
    const since = performance.now();
    await atOnce(names, CLIENTS, start);
    return performance.now() - since;
  };
  const clear = () => {
    if (started.sampan) setting.runClient(setting.sampanCli, setting.sampan, ['rm', '-f', ...names]);
    if (started.other) for (const name of names) runCommand([...command, 'delete', '--force', name]);
    started.sampan = started.other = false;
  };
  try {
    const [sampan = [], other] = await inTurn(
      [
        {
          before: clear,
          work: () => {
            started.sampan = true;
            const args = ['-d', '--network', 'none', image, 'sleep', '600'];
            return timed((name) => setting.runOwnClient(setting.sampan, ['run', '--name', name, ...args]));
          },
        },
        {
          before: clear,
          work: () => {
            started.other = true;
            // The container keeps what it is given: no pipe that we would wait for.
            const quiet = ['sh', '-c', 'exec "$@" < /dev/null > /dev/null 2>&1', 'sh', ...command];
            return timed((name) =>
              runCommandAside([...quiet, 'run', '--detach', '--bundle', `${bundle}-${name}`, name]),
            );
          },
        },
      ],
      CROWD_RUNS,
    );
    return row(`${CROWD} \`run -d\` from ${CLIENTS} clients, no network, own client`, {
      sampan,
      other,
      runtime,
    });
  } finally {
    clear();
  }
}

function row(
  what: string,
  { sampan, other, runtime }: { sampan: number[]; other: number[] | undefined; runtime: string },
): BenchRow {
  const otherName = `${runtime.split('/').at(-1)} alone`;
  return { what, unit: 'ms', sampan, other, otherName, goal: undefined };
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

/** The same root, and a cgroup of its own: a runtime takes none that is in use. */
function crowdBundle(bundle: string, name: string): void {
  const config: Bundle = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8'));
  config.process.args = ['/bin/busybox', 'sleep', '600'];
  config.linux.cgroupsPath += `/${name}`;
  mkdirSync(`${bundle}-${name}`);
  writeFileSync(join(`${bundle}-${name}`, 'config.json'), JSON.stringify(config));
}

function makeRootfs(rootfs: string): void {
  for (const folder of ['bin', 'dev', 'etc', 'proc', 'root', 'sys', 'tmp'])
    mkdirSync(join(rootfs, folder), { recursive: true });
  writeFileSync(join(rootfs, 'bin/busybox'), busyboxBinary());
  chmodSync(join(rootfs, 'bin/busybox'), 0o755);
  symlinkSync('busybox', join(rootfs, 'bin/true'));
}
