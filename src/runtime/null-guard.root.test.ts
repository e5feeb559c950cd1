import { expect, test } from 'bun:test';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { run } from '../sys/spawn.ts';
import { openRealSubject } from './testing/real-subject.ts';
import { collect, started } from './testing/runtime-subject.ts';

test('the mount is made once, seen by nobody else, and what is written goes nowhere', async () => {
  await run(['mount', '--make-rshared', '/']);
  const script = `const m = await import(${JSON.stringify(new URL('./null-guard.ts', import.meta.url).pathname)});
  console.log(m.guardNull(), m.guardNull());`;
  const child = await run(['unshare', '-m', '--propagation', 'unchanged', process.execPath, '-e', script]);
  expect(child).toMatchObject({ exitCode: 0, stdout: 'true true\n' });
  const own = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  expect(own.filter((line) => line.split(' ')[4] === '/dev/null')).toEqual([]);
  writeFileSync('/dev/null', 'x');
});

test("the user of an exec without stdin does not come to own the host's /dev/null, nor its mode", async () => {
  const subject = await openRealSubject('crun');
  const { runtime } = subject;
  const signal = AbortSignal.timeout(20_000);
  const task = await started(subject, ['sleep', '60']);
  const exec = await subject.exec(task, [
    'sh',
    '-c',
    'cat; chmod 0 /proc/self/fd/0; echo x > /dev/null && echo fine',
  ]);
  const made = await exec.process;
  const process = { ...made, user: { ...made.user, uid: 7, gid: 7 } };
  let output: ReturnType<typeof collect> | undefined;
  const joined = (streams: Parameters<typeof collect>[0]): void => {
    output = collect(streams);
  };
  const handle = await runtime.exec(task, { ...exec, process }, { signal, joined });
  await runtime.waitExec(handle, { signal });
  const said = await output;
  expect(said?.stderr).toContain('Read-only file system');
  expect(said?.stdout).toBe('fine\n');
  const { uid, mode } = statSync('/dev/null');
  expect([uid, (mode & 0o777).toString(8)]).toEqual([0, '666']);
  await runtime.remove(task);
  await subject.close();
});
