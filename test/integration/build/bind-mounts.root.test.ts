import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { chmodSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { BuildFixture } from '../../clients/build/build-fixture.ts';

let fixture: BuildFixture;
beforeAll(async () => {
  fixture = await BuildFixture.start();
}, 300_000);
afterAll(async () => {
  await fixture?.close();
}, 300_000);

const ways: [string, (args: readonly string[]) => ReturnType<BuildFixture['daemon']['run']>][] = [
  ['classic', (args) => fixture.daemon.run(['build', ...args], { env: { DOCKER_BUILDKIT: '0' } })],
  ['buildx', (args) => fixture.daemon.run(['build', '--progress', 'plain', ...args])],
  ['sampan', (args) => fixture.daemon.run(['build', ...args], { client: 'sampan' })],
];

const dockerfile = [
  'FROM busybox',
  'WORKDIR /w',
  'RUN --mount=type=bind,target=/all (cd /all; find . | sort | grep -v ocker) > /1',
  "RUN --mount=type=bind,source=dir,target=/d (cd /d; find . | sort; cat one sub/two; stat -c '%a %u:%g' sub) > /2",
  'RUN --mount=type=bind,source=top,target=/t cat /t > /3',
  'RUN --mount=source=link,target=/l (cd /l; find . | sort) > /4',
  'RUN --mount=source=flink,target=/fl cat /fl > /5',
  'RUN --mount=target=. pwd > /6; ls | grep -v ocker >> /6',
  'RUN --mount=source=dir,target=/rw,rw echo x > /rw/new; ls /rw > /7',
  'RUN --mount=source=dir,target=/ro echo x > /ro/new 2>/dev/null || echo refused > /8; ls /ro >> /8',
  'RUN --mount=source=./dir/../dir/sub/,target=/s ls /s > /9',
  'RUN --mount=source=link/sub,target=/d/e cat /d/e/two > /10',
  "RUN --mount=source=tight,target=/d stat -c '%a %u:%g' /d > /11; ls -A /d >> /11",
  '',
].join('\n');

/** As BuildKit 0.25 of Docker 28.5 answers. */
const seen = [
  '. ./dir ./dir/one ./dir/sub ./dir/sub/two ./flink ./link ./tight ./tight/.empty ./top',
  '. ./one ./sub ./sub/two one two 755 0:0',
  'top',
  '. ./one ./sub ./sub/two',
  'one',
  '/w dir flink link tight top',
  'new one sub',
  'refused one sub',
  'two',
  'two',
  '750 0:0 .empty',
];

describe.each(ways)('RUN --mount=type=bind of the build context by %s', (name, build) => {
  test('has the files of the context, of a folder, of a file and of links to them', async () => {
    const folder = fixture.project({
      Dockerfile: dockerfile,
      '.dockerignore': 'ignored\n',
      ignored: '',
      top: 'top\n',
      'dir/one': 'one\n',
      'dir/sub/two': 'two\n',
    });
    mkdirSync(join(folder, 'tight/.empty'), { recursive: true });
    chmodSync(join(folder, 'tight'), 0o750);
    symlinkSync('dir', join(folder, 'link'));
    symlinkSync('dir/one', join(folder, 'flink'));
    const built = await build(['--no-cache', '-t', `bound-${name}`, folder]);
    expect(built, built.stderr).toMatchObject({ code: 0 });
    const show = 'for i in 1 2 3 4 5 6 7 8 9 10 11; do echo $(cat /$i); done';
    const shown = await fixture.daemon.out(['run', '--rm', `bound-${name}`, 'sh', '-c', show]);
    expect(shown.split('\n')).toEqual(seen);
  }, 300_000);
});
