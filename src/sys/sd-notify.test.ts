import { expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { notifySystemd } from './sd-notify.ts';

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
  const before = process.env['NOTIFY_SOCKET'];
  try {
    await listener.stderr.getReader().read();
    process.env['NOTIFY_SOCKET'] = socket;
    notifySystemd('READY=1', 'STATUS=serving');
    await listener.exited;
    expect(await Bun.file(join(directory, 'out')).text()).toBe('READY=1\nSTATUS=serving');
  } finally {
    if (before === undefined) delete process.env['NOTIFY_SOCKET'];
    else process.env['NOTIFY_SOCKET'] = before;
    listener.kill();
    rmSync(directory, { recursive: true });
  }
});

test('nobody to tell is fine', () => {
  const before = process.env['NOTIFY_SOCKET'];
  try {
    for (const path of ['/nonexistent/notify', '@sampan-nobody', 'relative', `/${'x'.repeat(200)}`]) {
      process.env['NOTIFY_SOCKET'] = path;
      notifySystemd('READY=1');
    }
  } finally {
    if (before === undefined) delete process.env['NOTIFY_SOCKET'];
    else process.env['NOTIFY_SOCKET'] = before;
  }
});
