import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildLeftovers } from '../../support/engine/build-leftovers.ts';
import { eventually, type RunningCommand, start } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

let registry: SeedRegistry;
let daemon: TestDaemon;
let folder = '';

beforeAll(async () => {
  registry = await startSeedRegistry();
  daemon = await startDaemon({ mirrors: [registry.url] });
  await daemon.pull('busybox');
  folder = mkdtempSync(join(tmpdir(), 'debug-'));
}, 60_000);

afterAll(async () => {
  await daemon?.close();
  await registry?.close();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

/** Nothing of a build, and no image or container beside what was there. */
async function leftovers(): Promise<string[]> {
  const [images, containers] = await Promise.all([
    daemon.out(['images', '-aq', '--no-trunc', '--filter', 'dangling=true']),
    daemon.out(['ps', '-aq']),
  ]);
  return [...buildLeftovers(daemon), ...`${images}\n${containers}`.split('\n').filter(Boolean)];
}

const nothingLeft = () =>
  eventually(async () => (await leftovers()).length === 0, {
    timeoutMs: 15_000,
    what: () => `nothing to be left: ${buildLeftovers(daemon).join('\n')}`,
  });

const shells: RunningCommand[] = [];

afterEach(async () => {
  for (const { child } of shells.splice(0)) child.kill();
  await nothingLeft();
}, 30_000);

function write(dockerfile: string): void {
  writeFileSync(join(folder, 'Dockerfile'), dockerfile);
}

/** `sampan build --debug` on a terminal, when its shell is open. `pid` is the client's. */
async function debug(args: string[] = []): Promise<{ shell: RunningCommand; pid: () => number }> {
  const pidFile = join(folder, 'pid');
  const words = daemon.command(['build', '--debug', '--progress', 'plain', ...args, folder], 'sampan');
  const shell = start(
    ['script', '-qefc', `stty cols 191 rows 33; echo $$ > ${pidFile}; exec ${words.join(' ')}`, '/dev/null'],
    {
      env: { ...daemon.env, SHELL: '/bin/sh', SECRET: 'hidden' },
    },
  );
  shells.push(shell);
  await shell.until(/Leave it with "exit" or Ctrl-D/);
  // busybox asks the terminal where its cursor is.
  await shell.until(/[#$] (.\[(?:6n|J))*$/);
  return { shell, pid: () => Number(readFileSync(pidFile, 'utf8')) };
}

async function type(shell: RunningCommand, line: string): Promise<void> {
  await shell.child.stdin.write(`${line}\n`);
  await shell.child.stdin.flush();
}

describe('sampan build --debug', () => {
  test('a RUN that fails: its files, variables, directory, user, mounts and network are in the shell', async () => {
    write(`FROM busybox
RUN echo 'builder:x:1234:1234::/w:/bin/sh' >> /etc/passwd && mkdir /w && chown builder /w
ENV COLOUR=blue
ARG SIZE=7
WORKDIR /w
USER builder
RUN --mount=type=cache,target=/c,uid=1234 --mount=type=secret,id=s,uid=1234 --mount=type=tmpfs,target=/t \\
  echo half > made; echo kept > /c/kept; exit 42
RUN touch /never
`);
    const { shell } = await debug(['--secret', 'id=s,env=SECRET', '--network', 'none']);
    await type(
      shell,
      'stty size; cat made; echo "$COLOUR-$SIZE $(pwd) $(id -u)"; cat /c/kept /run/secrets/s',
    );
    await type(shell, 'echo; grep -c " /t " /proc/mounts; ls /sys/class/net; ls /never; echo all-$((1+1))');
    await shell.until(/all-2/);
    await type(shell, 'exit 5');
    const { code, stdout } = await shell.end();
    expect(code).toBe(1);
    const said = stdout.replaceAll('\r', '').slice(stdout.indexOf('Leave it with'));
    expect(said).toContain('\n33 191\nhalf\nblue-7 /w 1234\nkept\nhidden');
    expect(said).toContain('\n1\nlo\n');
    expect(said).toContain('/never: No such file or directory');
    expect(said).toContain('did not complete successfully: exit code: 42');
    const [before = ''] = stdout.split('Leave it with');
    expect(before).toContain('>>> RUN --mount=type=cache');
    expect(stdout.split('>>> RUN').length).toBe(2);
  }, 60_000);

  test('a COPY of what is missing: the state before it, with the shell of SHELL', async () => {
    write(`FROM busybox
RUN echo before > /before
SHELL ["/bin/busybox", "sh", "-c"]
ENV A=b
WORKDIR /there
COPY missing /m
`);
    const { shell } = await debug();
    expect(shell.seen.stdout).toContain('A shell (/bin/busybox sh) is open');
    await type(shell, 'cat /before; echo "$A $(pwd)"; ip route | grep -c default; echo all-$((1+1))');
    await shell.until(/all-2/);
    await type(shell, 'exit');
    const { code, stdout } = await shell.end();
    expect(code).toBe(1);
    const said = stdout.replaceAll('\r', '');
    expect(said).toContain('\nbefore\nb /there\n1\n');
    expect(said).toContain('"/missing": not found');
  }, 60_000);

  test('other steps have stopped and other builds go on while the shell is open; what it writes is lost', async () => {
    write(
      'FROM busybox AS slow\nRUN sleep 300\nFROM busybox\nRUN sleep 1; exit 3\nCOPY --from=slow /etc /e\n',
    );
    const { shell } = await debug();
    expect(shell.seen.stdout).toMatch(/CANCELED[^]*A shell/);
    const second = start(daemon.command(['build', folder], 'sampan'), { env: daemon.env });
    expect((await second.end()).stderr).toContain('exit code: 3');
    await type(shell, 'echo x > /mine; exit');
    expect((await shell.end()).code).toBe(1);
    const { shell: again } = await debug();
    await type(again, 'ls /mine; exit');
    expect((await again.end()).stdout).toContain('/mine: No such file');
  }, 60_000);

  test('progress that is redrawn in place leaves the terminal to the shell', async () => {
    write('FROM busybox\nRUN exit 3\n');
    const { shell } = await debug(['--progress', 'tty']);
    await type(shell, 'echo mine-$((1+1)); exit');
    const { code, stdout } = await shell.end();
    expect(code).toBe(1);
    const [before = '', after = ''] = stdout.split('Leave it with');
    expect(before).toContain('[+] Building');
    expect(after).toContain('mine-2');
    expect(after).not.toContain('[+] Building');
  }, 60_000);

  test('a client that is killed leaves nothing', async () => {
    write('FROM busybox\nRUN echo a > /a; false\n');
    const { shell, pid } = await debug();
    expect((await leftovers()).length).toBeGreaterThan(0);
    process.kill(pid(), 'SIGKILL');
    await shell.end();
    await nothingLeft();
  }, 60_000);

  test('a daemon that is killed leaves nothing', async () => {
    write('FROM busybox\nRUN echo a > /a; false\n');
    const { shell } = await debug();
    await daemon.restart('SIGKILL');
    expect((await shell.end()).code).not.toBe(0);
    await nothingLeft();
  }, 60_000);

  test('an image without a shell says so, and the build fails as it did', async () => {
    write('FROM scratch\nRUN ["/nothing"]\n');
    const command = daemon.command(['build', '--debug', '--progress', 'plain', folder], 'sampan').join(' ');
    const build = start(['script', '-qefc', command, '/dev/null'], { env: daemon.env });
    const { code, stdout } = await build.end();
    expect(code).toBe(1);
    expect(stdout).toContain('Cannot open a shell (/bin/sh) at this step: ');
    expect(stdout).toContain('did not complete successfully: exit code: 1');
  }, 60_000);

  test('without a terminal one line says so, and the build fails as usual; a good build is as without it', async () => {
    write('FROM busybox\nRUN exit 9\n');
    const build = async (args: string[]) =>
      await daemon.run(['build', ...args, '--progress', 'plain', folder], { client: 'sampan' });
    const [plain, debugged] = [await build([]), await build(['--debug'])];
    expect(debugged.code).toBe(1);
    const [first, ...rest] = debugged.stderr.split('\n');
    expect(first).toBe(
      'WARNING: --debug needs a terminal on standard input: no shell will be opened where a step fails',
    );
    const timeless = (text: string) =>
      text
        .replaceAll(/\b\d+\.\d\b/g, 'T')
        .split('\n')
        .sort();
    expect(timeless(rest.join('\n'))).toEqual(timeless(plain.stderr));
    write('FROM busybox\nRUN true\n');
    expect((await build(['--debug', '-t', 'good'])).code).toBe(0);
  }, 60_000);
});
