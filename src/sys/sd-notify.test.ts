import { expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { takeNotifySocket } from './sd-notify.ts';

const activate = Bun.which('systemd-socket-activate');
if (activate === null)
  process.stderr.write('SKIP sd-notify: needs systemd-socket-activate (package systemd)\n');

test.skipIf(activate === null)('states arrive as one datagram', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sampan-notify-'));
  const socket = join(directory, 'notify');
  // Listens, and hands the first datagram to a shell.
  const listener = Bun.spawn(
    [activate ?? '', '--datagram', '--inetd', '-l', socket, 'sh', '-c', 'dd bs=4096 count=1 >out'],
    { cwd: directory, stderr: 'pipe' },
  );
  try {
    await listener.stderr.getReader().read();
    takeNotifySocket({ NOTIFY_SOCKET: socket })('READY=1', 'STATUS=serving');
    await listener.exited;
    expect(await Bun.file(join(directory, 'out')).text()).toBe('READY=1\nSTATUS=serving');
  } finally {
    listener.kill();
    rmSync(directory, { recursive: true });
  }
});

test('nobody to tell is fine', () => {
  for (const path of ['/nonexistent/notify', '@sampan-nobody', 'relative', `/${'x'.repeat(200)}`, undefined])
    takeNotifySocket({ NOTIFY_SOCKET: path })('READY=1');
});

test('what we start hears nothing of it', () => {
  const environment: Record<string, string> = { NOTIFY_SOCKET: '@sampan-nobody', PATH: '/bin' };
  takeNotifySocket(environment);
  expect(environment).toEqual({ PATH: '/bin' });
});
