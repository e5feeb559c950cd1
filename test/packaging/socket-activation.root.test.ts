import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const checkout = join(import.meta.dir, '../..');
const activate = Bun.which('systemd-socket-activate');
if (activate === null)
  process.stderr.write('SKIP socket activation: needs systemd-socket-activate (package systemd)\n');

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'sampan-activation-'));
  writeFileSync(join(directory, 'daemon.json'), '{}');
});
afterAll(() => {
  // In the mount namespace of this test: what the daemon mounted on the roots goes with it.
  Bun.spawnSync(['umount', '-R', join(directory, 'data')]);
  Bun.spawnSync(['umount', '-R', join(directory, 'run/mount-namespace/pin')]);
  Bun.spawnSync(['umount', '-R', join(directory, 'run')]);
  rmSync(directory, { recursive: true, force: true });
});

function daemonArguments(): string[] {
  return [
    join(checkout, 'bin/sampand'),
    '-H',
    'fd://',
    `--data-root=${directory}/data`,
    `--exec-root=${directory}/run`,
    `--pidfile=${directory}/pid`,
    `--config-file=${directory}/daemon.json`,
    '--bip=10.87.6.1/24',
  ];
}

/** The first start makes the mount namespace and goes through exec with the sockets; the second only enters it. */
test.skipIf(activate === null).each(['first', 'second'])(
  'the %s start serves the socket that systemd holds, which outlives the daemon',
  async (which) => {
    const socket = join(directory, `${which}.sock`);
    const daemon = Bun.spawn([activate ?? '', '-l', socket, ...daemonArguments()], {
      stdout: 'ignore',
      stderr: Bun.file(join(directory, `${which}.log`)),
    });
    try {
      await until(async () => readFileSync(join(directory, `${which}.log`), 'utf8').includes('Listening on'));
      const answer = await fetch('http://localhost/_ping', { unix: socket });
      expect(await answer.text()).toBe('OK');
      // Same process from the shell launcher to Bun inside the namespace, so LISTEN_PID and MAINPID hold.
      expect(readFileSync(join(directory, 'pid'), 'utf8')).toBe(`${daemon.pid}\n`);
      expect(readlinkSync(`/proc/${daemon.pid}/ns/mnt`)).not.toBe(readlinkSync('/proc/self/ns/mnt'));
      daemon.kill('SIGTERM');
      expect(await daemon.exited).toBe(0);
      expect(await Bun.file(socket).stat()).toBeDefined();
    } finally {
      daemon.kill('SIGKILL');
    }
  },
  60_000,
);

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (await holds()) return;
    await Bun.sleep(25);
  }
  throw new Error('It did not come true in 5 s');
}
