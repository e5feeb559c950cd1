import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { appendFileSync, chownSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../support/engine/command.ts';
import {
  HOST_GID,
  HOST_UID,
  type OwnEtc,
  ownEtc,
  remappedDaemon,
} from '../../support/engine/remapped-daemon.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import type { TestDaemon } from '../../support/engine/test-daemon.ts';

let etc: OwnEtc | undefined;
let registry: SeedRegistry | undefined;
beforeAll(async () => {
  etc = await ownEtc();
  registry = await startSeedRegistry();
});
afterAll(async () => {
  await registry?.close();
  await etc?.close();
});

const ownerOf = (path: string) => {
  const { uid, gid } = lstatSync(path);
  return [uid, gid];
};
const SUB_ROOT = [HOST_UID, HOST_GID];
/** `1:2 name` for each member of a tar. */
async function members(tar: Uint8Array): Promise<string[]> {
  const child = Bun.spawn(['tar', '-tv', '--numeric-owner'], { stdin: tar, stdout: 'pipe' });
  const lines = (await new Response(child.stdout).text()).trim().split('\n');
  return lines.map((line) => line.replace(/^\S+ (\d+)\/(\d+) .* (\S+)$/, '$1:$2 $3'));
}

describe.each(['erofs', 'overlay'] as const)('files on %s', (driver) => {
  let engine: TestDaemon;
  beforeAll(async () => {
    engine = remappedDaemon({ mirrors: [registry?.url ?? ''], driver });
    await engine.start();
    await engine.pull('busybox');
  });
  afterEach(() => engine.removeContainers());
  afterAll(() => engine.close());

  const inside = (command: string, ...options: string[]) =>
    engine.out(['run', '--rm', ...options, 'busybox', 'sh', '-c', command]);
  const get = async (path: string): Promise<Uint8Array> => {
    const response = await fetch(`http://d${path}`, { unix: engine.socket });
    expect(response.status).toBe(200);
    return new Uint8Array(await response.arrayBuffer());
  };
  const written =
    'echo a > /a; mkdir -p /d/e; chown 5:6 /d; rm /etc/shadow; echo v > /vol/f; chown 7:8 /vol/f';

  test('diff, cp, export and commit speak of the container’s ids, running or not', async () => {
    await engine.out([
      'run',
      '-d',
      '--name',
      'box',
      '-v',
      '/vol',
      'busybox',
      'sh',
      '-c',
      `${written}; sleep 1000`,
    ]);
    for (const state of ['running', 'stopped']) {
      if (state === 'stopped') await engine.out(['stop', '-t', '1', 'box']);
      expect((await engine.out(['diff', 'box'])).split('\n').sort()).toEqual(
        ['A /a', 'A /d', 'A /d/e', 'A /vol', 'C /etc', 'D /etc/shadow'].sort(),
      );
      expect(await members(await get('/containers/box/archive?path=/d'))).toEqual(['5:6 d/', '0:0 d/e/']);
      expect(await members(await get('/containers/box/archive?path=/vol'))).toEqual([
        '0:0 vol/',
        '7:8 vol/f',
      ]);
      expect(await members(await get('/containers/box/archive?path=/etc/hosts'))).toEqual(['0:0 hosts']);
      const exported = await members(await get('/containers/box/export'));
      for (const member of ['0:0 a', '5:6 d/', '0:0 d/e/', '0:0 etc/passwd'])
        expect(exported).toContain(member);
      const image = `committed:${state}`;
      await engine.out(['commit', 'box', image]);
      const look = ['run', '--rm', image, 'stat', '-c', '%u:%g', '/a', '/d', '/d/e', '/etc/passwd'];
      expect((await engine.out(look)).split('\n')).toEqual(['0:0', '5:6', '0:0', '0:0']);
      look.splice(1, 0, '--userns=host');
      expect((await engine.out(look)).split('\n')).toEqual(['0:0', '5:6', '0:0', '0:0']);
    }
    expect(await engine.out(['ps', '-as', '--format', '{{.Size}}'])).toMatch(/^[1-9]/);
  }, 60_000);

  test('what is copied in is whose the archive says within, folders on the way are root’s', async () => {
    await engine.out(['create', '--name', 'box', '-v', '/vol', 'busybox', 'sleep', '1000']);
    const tree = join(engine.root, `tree-${driver}`);
    mkdirSync(join(tree, 'deep'), { recursive: true });
    writeFileSync(join(tree, 'deep/f'), 'x');
    chownSync(join(tree, 'deep/f'), 12, 34);
    await run(['setcap', 'cap_net_raw+ep', join(tree, 'deep/f')]);
    const tar = async (...words: string[]) =>
      new Uint8Array(
        Bun.spawnSync(['tar', '-C', tree, '-c', '--xattrs', '--xattrs-include=*', ...words]).stdout,
      );
    const put = async (path: string, body: Uint8Array) =>
      await fetch(`http://d/containers/box/archive?path=${path}`, {
        method: 'PUT',
        unix: engine.socket,
        body,
      });
    for (const state of ['created', 'running']) {
      if (state === 'running') await engine.out(['start', 'box']);
      for (const place of ['/', '/vol', '/etc'])
        expect((await put(place, await tar('deep/f'))).status).toBe(200);
      const capable = await members(await get('/containers/box/archive?path=/deep'));
      expect(capable).toEqual(['0:0 deep/', '12:34 deep/f']);
    }
    const seen = 'stat -c "%u:%g %n" /deep /deep/f /vol/deep /vol/deep/f /etc/deep/f';
    expect((await engine.out(['exec', 'box', 'sh', '-c', seen])).split('\n')).toEqual([
      '0:0 /deep',
      '12:34 /deep/f',
      '0:0 /vol/deep',
      '12:34 /vol/deep/f',
      '12:34 /etc/deep/f',
    ]);
    // A capability of a file holds in there, and comes out as it went in.
    const out = join(engine.root, `out-${driver}.tar`);
    writeFileSync(out, await get('/containers/box/archive?path=/deep/f'));
    await run(['tar', '-C', engine.root, '--xattrs', '--xattrs-include=*', '-xf', out]);
    expect((await run(['getcap', join(engine.root, 'f')])).stdout).toContain('cap_net_raw=ep');
    const high = await tar('--owner=70000', '--group=0', 'deep/f');
    const refused = await put('/', high);
    expect([refused.status, await refused.text()]).toEqual([
      400,
      expect.stringContaining('container ID 70000 cannot be mapped to a host ID'),
    ]);
  }, 60_000);

  test('volumes begin with what the image has, as root’s within; binds show what is on the host', async () => {
    const made = 'mkdir /data && touch /data/own && chown 9:9 /data/own';
    await engine.out(['run', '--name', 'maker', 'busybox', 'sh', '-c', made]);
    await engine.out(['commit', '-c', 'VOLUME /data', 'maker', 'filled']);
    const look =
      'stat -c "%u:%g %n" /data /data/own /new; touch /data/x /new/x && stat -c %u:%g /data/x /new/x';
    const options = ['-v', 'filled:/data', '-v', 'fresh:/new'];
    const seen = await engine.out(['run', '--rm', ...options, 'filled', 'sh', '-c', look]);
    expect(seen.split('\n')).toEqual(['0:0 /data', '9:9 /data/own', '0:0 /new', '0:0', '0:0']);
    const place = (name: string) => join(engine.dataRoot, 'volumes', name, '_data');
    expect([ownerOf(place('filled')), ownerOf(place('fresh'))]).toEqual([SUB_ROOT, SUB_ROOT]);
    expect(ownerOf(join(place('filled'), 'own'))).toEqual([HOST_UID + 9, HOST_GID + 9]);
    expect(await engine.out(['run', '--rm', 'filled', 'stat', '-c', '%u:%g', '/data/own'])).toBe('9:9');
    const bound = join(engine.root, `bound-${driver}`);
    mkdirSync(bound, { mode: 0o700 });
    writeFileSync(join(bound, 'secret'), 'x', { mode: 0o600 });
    const tried = await inside('cat /b/secret 2>&1; stat -c %u /b', '-v', `${bound}:/b`);
    expect(tried.split('\n')).toEqual([expect.stringContaining('Permission denied'), '65534']);
    chownSync(bound, HOST_UID, HOST_GID);
    expect(await inside('touch /b/mine; stat -c %u /b/mine', '-v', `${bound}:/b`)).toBe('0');
    expect(ownerOf(join(bound, 'mine'))).toEqual(SUB_ROOT);
    await engine.out(['volume', 'rm', 'filled', 'fresh']);
  }, 60_000);

  test('another image’s files, mounted, are root’s too', async () => {
    const mount = '--mount=type=image,source=busybox,target=/img';
    expect(
      await engine.out(['run', '--rm', mount, 'busybox', 'stat', '-c', '%u:%g', '/img/etc/passwd'], {
        client: 'sampan',
      }),
    ).toBe('0:0');
  });

  test('a container keeps the ids that it was made with, whatever the setting is', async () => {
    await engine.out(['run', '-d', '--name', 'old', 'busybox', 'sh', '-c', 'echo x > /x; sleep 1000']);
    await engine.out(['run', '-d', '--name', 'plain', '--userns=host', 'busybox', 'sleep', '1000']);
    const uidOf = async (name: string) => {
      const pid = await engine.out(['inspect', '-f', '{{.State.Pid}}', name]);
      return /^Uid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    };
    await engine.stop();
    engine.configure({ 'userns-remap': '' });
    await engine.start();
    expect(await engine.out(['info', '-f', '{{json .SecurityOptions}}'])).not.toContain('userns');
    await engine.out([
      'run',
      '-d',
      '--name',
      'new',
      '-v',
      'nv:/v',
      '--privileged',
      '--net=host',
      'busybox',
      'sleep',
      '1000',
    ]);
    expect(ownerOf(join(engine.dataRoot, 'volumes/nv/_data'))).toEqual([0, 0]);
    await engine.out(['restart', '-t', '1', 'old', 'plain']);
    expect(await Promise.all(['old', 'plain', 'new'].map(uidOf))).toEqual([`${HOST_UID}`, '0', '0']);
    expect(await engine.out(['exec', 'old', 'stat', '-c', '%u:%g', '/x', '/'])).toBe('0:0\n0:0');
    await engine.stop();
    engine.configure({});
    await engine.start();
    await engine.out(['restart', '-t', '1', 'new']);
    expect(await uidOf('new')).toBe('0');
    await engine.removeContainers();
    await engine.out(['volume', 'rm', 'nv']);
  }, 90_000);
});

describe('the setting', () => {
  const failure = async (setting: string): Promise<string> => {
    const engine = remappedDaemon({ config: { 'userns-remap': setting } });
    try {
      return await engine.start().then(
        () => 'it starts',
        (error: Error) => error.message,
      );
    } finally {
      await engine.close();
    }
  };

  test('who is not there, or has no ids, stops the start', async () => {
    expect(await failure('nosuch')).toContain(
      'Error during uid lookup for "nosuch": getent unable to find entry "nosuch" in passwd database',
    );
    expect(await failure('daemon')).toContain('no subuid ranges found for user "daemon"');
    expect(await failure('4242')).toContain('Gid 4242 has no entry in /etc/group');
    expect(await failure('4242:4343')).toBe('it starts');
    expect(await failure('remapped:remapped')).toBe('it starts');
  }, 60_000);

  test('default makes dockremap with ids that nobody has, once', async () => {
    const engine = remappedDaemon({ mirrors: [registry?.url ?? ''], config: { 'userns-remap': 'default' } });
    try {
      appendFileSync('/etc/subuid', 'somebody:100000:65536\n');
      await engine.start();
      const ranges = () =>
        ['/etc/subuid', '/etc/subgid'].map(
          (file) => /^dockremap:.*$/gm.exec(readFileSync(file, 'utf8'))?.[0],
        );
      expect(ranges()).toEqual(['dockremap:165536:65536', 'dockremap:100000:65536']);
      await engine.pull('busybox');
      const map = await engine.out([
        'run',
        '--rm',
        'busybox',
        'cat',
        '/proc/self/uid_map',
        '/proc/self/gid_map',
      ]);
      expect(map.split('\n').map((line) => line.trim().split(/\s+/))).toEqual([
        ['0', '165536', '65536'],
        ['0', '100000', '65536'],
      ]);
      await engine.restart();
      expect(ranges()).toEqual(['dockremap:165536:65536', 'dockremap:100000:65536']);
    } finally {
      await engine.close();
    }
  }, 60_000);

  test('a folder on the way to the roots that shuts out the containers’ root stops the start', async () => {
    const engine = remappedDaemon();
    try {
      await run(['chmod', '0700', engine.root]);
      const said = await engine.start().then(
        () => 'it starts',
        (error: Error) => error.message,
      );
      expect(said).toContain('restricts access to the remapped root uid/gid');
    } finally {
      await engine.close();
    }
  });
});
