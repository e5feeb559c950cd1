import { expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { daemonFlags, readDaemonPid, writePidFile } from './pid-file.ts';

test('a pid that belongs to another program by now is overwritten, and the file goes with its owner', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sampan-pid-'));
  try {
    const path = join(directory, 'pid');
    writeFileSync(path, '1\n');
    const file = writePidFile(path);
    expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`);
    file.remove();
    expect(() => readFileSync(path)).toThrow('ENOENT');
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('the pid of a living daemon is a conflict', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sampan-pid-'));
  // A script under the daemon's name, which does nothing.
  const script = join(directory, 'daemon');
  const main = join(script, 'main.ts');
  await Bun.write(main, "console.log('up'); await Bun.sleep(20_000);");
  // As `bin/sampand` starts it.
  const flags = ['--debug', '--data-root', '/data'];
  const child = Bun.spawn([process.execPath, '--no-env-file', '--config=/dev/null', main, ...flags], {
    stdout: 'pipe',
  });
  try {
    await child.stdout.getReader().read();
    const path = join(directory, 'pid');
    writeFileSync(path, `${child.pid}\n`);
    expect(() => writePidFile(path)).toThrow(`process with PID ${child.pid} is still running`);
    expect(readDaemonPid(path)).toBe(child.pid);
    expect(daemonFlags(child.pid)).toEqual(flags);
    expect(daemonFlags(process.pid)).toBeUndefined();
  } finally {
    child.kill('SIGKILL');
    await child.exited;
    rmSync(directory, { recursive: true });
  }
});
