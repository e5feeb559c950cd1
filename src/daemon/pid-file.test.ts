import { expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writePidFile } from './pid-file.ts';

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
  const child = Bun.spawn([process.execPath, main], { stdout: 'pipe' });
  try {
    await child.stdout.getReader().read();
    const path = join(directory, 'pid');
    writeFileSync(path, `${child.pid}\n`);
    expect(() => writePidFile(path)).toThrow(`process with PID ${child.pid} is still running`);
  } finally {
    child.kill('SIGKILL');
    await child.exited;
    rmSync(directory, { recursive: true });
  }
});
