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

/** A script under the daemon's name, which does nothing, started as `bin/sampand` starts it. */
async function launched(directory: string, flags: readonly string[]) {
  const main = join(directory, 'daemon/main.ts');
  await Bun.write(main, "console.log('up'); await Bun.sleep(20_000);");
  const child = Bun.spawn([process.execPath, '--no-env-file', '--config=/dev/null', main, ...flags], {
    stdout: 'pipe',
  });
  await child.stdout.getReader().read();
  return child;
}

test('the pid of a living daemon is a conflict, that of what its launcher starts besides is none', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sampan-pid-'));
  const flags = ['--debug', '--data-root', '/data'];
  const [child, other] = await Promise.all([
    launched(directory, flags),
    launched(directory, ['registry', 'serve']),
  ]);
  try {
    const path = join(directory, 'pid');
    writeFileSync(path, `${child.pid}\n`);
    expect(() => writePidFile(path)).toThrow(`process with PID ${child.pid} is still running`);
    expect(readDaemonPid(path)).toBe(child.pid);
    expect(daemonFlags(child.pid)).toEqual(flags);
    expect([daemonFlags(process.pid), daemonFlags(other.pid)]).toEqual([undefined, undefined]);
    writeFileSync(path, `${other.pid}\n`);
    writePidFile(path).remove();
  } finally {
    for (const one of [child, other]) {
      one.kill('SIGKILL');
      await one.exited;
    }
    rmSync(directory, { recursive: true });
  }
});
