import { readFileSync } from 'node:fs';
import { directory, file, makeTar, symlink } from '../images/tar-maker.ts';
import { eventually } from './command.ts';
import type { TestDaemon } from './test-daemon.ts';

const APPLETS =
  'sh ls cat stat id touch grep rm mkdir mv ln sleep readlink mount chmod chown wc true find'.split(' ');

/** Busybox, and a directory of somebody's to be copied into volumes: `/data` (1770 1000:2000) with `hello` and `sub/x`; `/afile`; `/link` leads to /data/sub. */
const VOLUME_BOX = () =>
  makeTar([
    directory('bin'),
    file('bin/busybox', readFileSync('/bin/busybox'), 0o755),
    ...APPLETS.map((name) => symlink(`bin/${name}`, 'busybox')),
    { ...directory('data', 0o1770), uid: 1000, gid: 2000 },
    { ...file('data/hello', 'hi\n', 0o644), uid: 1000, gid: 2000 },
    { ...directory('data/sub', 0o755), uid: 1000, gid: 2000 },
    file('data/sub/x', 'x\n', 0o644),
    file('afile', 'file\n', 0o644),
    symlink('link', '/data/sub'),
  ]);

/** Make the image `name` of it. */
export async function importVolumeBox(engine: TestDaemon, name: string, ...changes: string[]): Promise<void> {
  const flags = ['CMD ["/bin/sh"]', ...changes].flatMap((change) => ['-c', change]);
  await engine.out(['import', ...flags, '-', name], { stdin: VOLUME_BOX() });
}

/** Wait until nothing of containers is left on the host; layers and the runtime stay mounted for the next one. */
export async function expectNothingLeft(engine: TestDaemon): Promise<void> {
  const left = () => {
    const { mounts, cgroups, files } = engine.traces();
    const shared = (point: string) => point.includes('/layers/') || point.includes('/run/oci/');
    return [...mounts.filter((point) => !shared(point)), ...cgroups, ...files];
  };
  await eventually(() => left().length === 0, { what: () => `nothing to be left: ${left().join(' ')}` });
}
