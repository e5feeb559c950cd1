import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { patience } from '../../sys/testing/patience.ts';
import { cgroupVersion } from '../cgroups/task-cgroup.ts';
import type { TaskHandle } from '../runtime.ts';
import { plainHostOptions } from '../spec/plain-host-options.ts';
import type { SpecHostOptions, SpecInput } from '../spec/spec-input.ts';
import { collect, rejection, runRequest } from '../testing/conformance.ts';
import { openRealSubject, type RealSubject } from '../testing/real-subject.ts';
import { ConmonRuntime } from './conmon-runtime.ts';

const signal = new AbortController().signal;
let subject: RealSubject;

beforeAll(async () => {
  subject = await openRealSubject('crun');
});

afterAll(async () => {
  await subject.close();
});

/** Output of a command in a container with these options. */
async function outputOf(
  args: string[],
  host: Partial<SpecHostOptions> = {},
  more: Partial<SpecInput> = {},
): Promise<string> {
  const { spec } = subject.build(args, { host: { ...plainHostOptions, ...host }, ...more });
  const { output, exit } = await runRequest(subject, specRequest(args, spec));
  expect(output.stderr).toBe('');
  expect(exit.exitCode).toBe(0);
  return output.stdout;
}

function specRequest(
  args: string[],
  spec: ReturnType<RealSubject['build']>['spec'],
): ReturnType<RealSubject['request']> {
  const request = subject.request(args);
  return { ...request, spec: { ...spec, linux: { ...spec.linux, ...pathOf(request) } } };
}

function pathOf(request: ReturnType<RealSubject['request']>): { cgroupsPath: string } {
  return { cgroupsPath: `${subject.cgroupParent}/${request.id.containerId}` };
}

/** Memory, processes and the quota of processor time, as a container sees its own. */
const LIMIT_FILES = {
  1: 'memory/memory.limit_in_bytes pids/pids.max cpu/cpu.cfs_quota_us',
  2: 'memory.max pids.max cpu.max',
};

describe('confinement, as Docker has it', () => {
  test('seccomp filter on, default capabilities', async () => {
    const status = await outputOf(['cat', '/proc/self/status']);
    expect(status).toMatch(/^Seccomp:\t2$/m);
    expect(status).toMatch(/^CapEff:\t00000000a80425fb$/m);
    expect(status).toMatch(/^CapBnd:\t00000000a80425fb$/m);
    expect(status).toMatch(/^CapInh:\t0000000000000000$/m);
    expect(status).toMatch(/^CapAmb:\t0000000000000000$/m);
    expect(status).toMatch(/^NoNewPrivs:\t0$/m);
  });

  test('no new privileges where asked', async () => {
    expect(await outputOf(['cat', '/proc/self/status'], { securityOpt: ['no-new-privileges'] })).toMatch(
      /^NoNewPrivs:\t1$/m,
    );
  });

  test('a user other than root has no capabilities left, and its groups', async () => {
    const process = {
      args: [],
      env: [],
      workingDir: '/',
      user: 'user',
      terminal: false,
      hostname: 'box',
      domainname: '',
    };
    const args = ['sh', '-c', 'id; grep CapEff /proc/self/status'];
    expect(await outputOf(args, {}, { process: { ...process, args } })).toBe(
      'uid=1000(user) gid=1000(user) groups=1000(user),1001(extra)\nCapEff:\t0000000000000000\n',
    );
  });

  test('new namespaces and mounting are refused by the filter', async () => {
    const text = await outputOf(['sh', '-c', 'unshare -U true 2>&1; mount -t tmpfs x /tmp 2>&1; true']);
    expect(text).toContain('Operation not permitted');
    expect(text).toContain('mount: permission denied');
  });

  test('masked paths are empty, /proc/sys is read-only', async () => {
    const text = await outputOf([
      'sh',
      '-c',
      'wc -c < /proc/timer_list; ls /sys/firmware | wc -l; (echo 1 > /proc/sys/kernel/panic) 2>&1; true',
    ]);
    expect(text).toMatch(/^0\n0\n/);
    expect(text).toContain('Read-only file system');
  });

  test('the environment has PATH, HOSTNAME and HOME', async () => {
    const env = (await outputOf(['env'])).split('\n');
    expect(env).toContain('PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin');
    expect(env).toContain('HOSTNAME=box');
    expect(env).toContain('HOME=/root');
  });

  test('privileged: all of our capabilities, no filter, host devices, writable /sys', async () => {
    const text = await outputOf(
      ['sh', '-c', 'grep -E "CapEff|Seccomp:" /proc/self/status; ls /dev/fuse; mount | grep " /sys "'],
      {
        privileged: true,
      },
    );
    const own = /^CapBnd:\s*(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    expect(text).toContain(`CapEff:\t${own}`);
    expect(text).toContain('Seccomp:\t0');
    expect(text).toContain('/dev/fuse');
    expect(text).toMatch(/ \/sys .*\(rw,/);
  });

  test('limits reach the cgroup; shm, tmpfs, read-only root, binds and sysctls the container', async () => {
    const binds = [
      { source: subject.directory, destination: '/data', readOnly: true, propagation: 'rprivate' },
    ];
    const { memoryBytes, pidsLimit } = { memoryBytes: 64n << 20n, pidsLimit: 50 };
    const host: Partial<SpecHostOptions> = {
      resources: {
        ...plainHostOptions.resources,
        memoryBytes,
        pidsLimit,
        nanoCpus: 500_000_000n,
        cpuShares: 512,
      },
      shmSizeBytes: 10 << 20,
      tmpfs: { '/scratch': 'size=1m,exec' },
      readonlyRootfs: true,
      ulimits: [{ name: 'nofile', soft: 100, hard: 200 }],
      sysctls: { 'net.ipv4.ip_forward': '1' },
    };
    const args = [
      'sh',
      '-c',
      `cd /sys/fs/cgroup; cat ${LIMIT_FILES[cgroupVersion()]} | grep -oE '^[0-9]+'
       ulimit -n; mount | grep -E "scratch|/dev/shm|/data"; touch /x 2>&1; touch /data/x 2>&1; touch /scratch/x; cat /proc/sys/net/ipv4/ip_forward`,
    ];
    const lines = (await outputOf(args, host, { binds })).split('\n');
    expect(lines.slice(0, 4)).toEqual([String(memoryBytes), '50', '50000', '100']);
    const text = lines.join('\n');
    expect(text).toMatch(/\/dev\/shm .*size=10240k/);
    expect(text).toMatch(/tmpfs on \/scratch .*nosuid,nodev,relatime,size=1024k/);
    expect(text).toMatch(/ \/data .*\(ro,/);
    expect(text).toContain('touch: /x: Read-only file system\ntouch: /data/x: Read-only file system\n1\n');
  });

  test('the host modes: pid, ipc, uts, net', async () => {
    const own = ['pid', 'ipc', 'uts', 'net'].map((name) => `/proc/self/ns/${name}`);
    const text = await outputOf(['ls', '-l', ...own], {
      pidMode: 'host',
      ipcMode: 'host',
      utsMode: 'host',
      networkMode: 'host',
    });
    for (const path of own) expect(text).toContain(`-> ${readlinkSync(path)}`);
  });

  test('domainname', async () => {
    const args = ['cat', '/proc/sys/kernel/domainname'];
    const process = {
      args,
      env: [],
      workingDir: '/',
      user: '',
      terminal: false,
      hostname: 'box',
      domainname: 'dom',
    };
    expect(await outputOf(args, {}, { process })).toBe('dom\n');
  });
});

describe('terminal', () => {
  test('stdout is a terminal of the size that resize() gave', async () => {
    const args = ['sh', '-c', 'read x; stty size; test -t 1 && echo terminal $TERM'];
    const process = {
      args,
      env: [],
      workingDir: '/',
      user: '',
      terminal: true,
      hostname: 'box',
      domainname: '',
    };
    const { spec } = subject.build(args, { process });
    const request = { ...specRequest(args, spec), terminal: true, stdin: true, leaveStdinOpen: true };
    const { runtime } = subject;
    const handle = await runtime.create(request, { signal });
    const streams = await runtime.attach(handle);
    const output = collect(streams);
    await runtime.start(handle);
    await runtime.resize(handle, { columns: 101, rows: 33 });
    await sleep(100);
    await streams.write(Buffer.from('go\n'));
    expect((await runtime.wait(handle, { signal })).exitCode).toBe(0);
    expect((await output).stdout).toBe('go\r\n33 101\r\nterminal xterm\r\n');
    await rejection(runtime.resize(handle, { columns: 1, rows: 1 }));
    await runtime.remove(handle);
    expect(await subject.leftovers(request)).toEqual([]);
  });
});

describe('log', () => {
  test('lines are kept in k8s-file form; reopenLogs() follows a rename, and no line is lost', async () => {
    const path = join(subject.directory, 'plain.log');
    const args = ['sh', '-c', 'for i in $(seq 1 200); do echo line $i; sleep 0.005; done'];
    const request = { ...subject.request(args), logPath: path };
    const { runtime } = subject;
    const handle = await runtime.create(request, { signal });
    const output = collect(await runtime.attach(handle));
    await runtime.start(handle);
    await sleep(200);
    renameSync(path, `${path}.1`);
    await runtime.reopenLogs(handle);
    await runtime.wait(handle, { signal });
    await runtime.remove(handle);
    const lines = [`${path}.1`, path].flatMap((file) => readFileSync(file, 'utf8').trimEnd().split('\n'));
    expect(lines.map((line) => line.split(' ').slice(3).join(' ')).join('\n')).toBe(
      (await output).stdout.trimEnd(),
    );
    expect(lines[0]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}\S* stdout F line 1$/);
  });

  test('a colon in the folder of the log', async () => {
    const folder = join(subject.directory, 'with:colon');
    mkdirSync(folder);
    const request = { ...subject.request(['echo', 'hi']), logPath: join(folder, 'log') };
    await runRequest(subject, request);
    expect(readFileSync(join(folder, 'log'), 'utf8')).toContain('stdout F hi');
  });
});

describe('the end of a task', () => {
  test('the monitor killed: the container is killed, 137 and a reason, nothing left', async () => {
    const request = subject.request(['sleep', '60']);
    const { runtime } = subject;
    const handle = await runtime.create(request, { signal });
    await runtime.start(handle);
    process.kill(handle.monitorPid, 'SIGKILL');
    const exit = await runtime.wait(handle, { signal });
    expect(exit).toMatchObject({
      exitCode: 137,
      oomKilled: false,
      error: expect.stringContaining('monitor'),
    });
    await runtime.remove(handle);
    expect(await subject.leftovers(request)).toEqual([]);
  });

  test(
    'a monitor that hangs does not hide the end',
    async () => {
      const request = subject.request(['sh', '-c', 'exit 6']);
      const { runtime } = subject;
      const handle = await runtime.create(request, { signal });
      process.kill(handle.monitorPid, 'SIGSTOP');
      await runtime.start(handle);
      const exit = await runtime.wait(handle, { signal });
      // Here nobody reaps what the monitor leaves: the code is lost, and said to be.
      expect(exit.exitCode === 6 || exit.error !== undefined).toBe(true);
      await runtime.remove(handle);
      expect(await subject.leftovers(request)).toEqual([]);
    },
    30_000 * patience,
  );

  test('out of memory is told', async () => {
    const args = ['sh', '-c', 'x=a; while :; do x=$x$x; done'];
    const resources = { ...plainHostOptions.resources, memoryBytes: 8n << 20n };
    const { spec } = subject.build(args, { host: { ...plainHostOptions, resources } });
    const { exit } = await runRequest(subject, specRequest(args, spec));
    expect(exit).toMatchObject({ exitCode: 137, oomKilled: true });
  });

  test('a reader that stands still does not hold back the exit', async () => {
    const request = subject.request(['sh', '-c', 'head -c 3000000 /dev/zero; exit 5']);
    const { runtime } = subject;
    const handle = await runtime.create(request, { signal });
    const streams = await runtime.attach(handle);
    await runtime.start(handle);
    const first = streams.output()[Symbol.asyncIterator]();
    await first.next();
    const waiting = runtime.wait(handle, { signal });
    await sleep(300);
    await runtime.kill(handle, 9);
    expect((await waiting).exitCode).toBe(137);
    await runtime.remove(handle);
  });

  test('a slow reader gets every byte in order', async () => {
    const request = subject.request(['sh', '-c', 'seq 1 400000']);
    const { runtime } = subject;
    const handle = await runtime.create(request, { signal });
    const streams = await runtime.attach(handle);
    await runtime.start(handle);
    const chunks: Uint8Array[] = [];
    for await (const { data } of streams.output()) {
      chunks.push(data);
      if (chunks.length % 20 === 0) await sleep(5);
    }
    expect((await runtime.wait(handle, { signal })).exitCode).toBe(0);
    const text = Buffer.concat(chunks).toString();
    expect(text).toBe(`${Array.from({ length: 400_000 }, (_none, index) => index + 1).join('\n')}\n`);
    await runtime.remove(handle);
  });

  test('bytes for a stdin that the container closed cost conmon no CPU', async () => {
    const request = { ...subject.request(['sh', '-c', 'exec 0<&-; sleep 1']), stdin: true };
    const { runtime } = subject;
    const handle = await runtime.create(request, { signal });
    const streams = await runtime.attach(handle);
    const output = collect(streams);
    await runtime.start(handle);
    await sleep(200);
    await streams.write(Buffer.from('x'));
    await sleep(500);
    const [, , , , , , , , , , , user = '0', system = '0'] = readFileSync(
      `/proc/${handle.monitorPid}/stat`,
      'utf8',
    )
      .split(') ')[1]!
      .split(' ');
    expect(Number(user) + Number(system)).toBeLessThan(10);
    await runtime.wait(handle, { signal });
    await output;
    await runtime.remove(handle);
  });
});

test('the monitor has a session of its own and nothing of ours open', async () => {
  const request = subject.request(['sleep', '60']);
  const { runtime } = subject;
  const handle = await runtime.create(request, { signal });
  const session = readFileSync(`/proc/${handle.monitorPid}/stat`, 'utf8').split(') ')[1]!.split(' ')[3];
  expect(session).toBe(String(handle.monitorPid));
  const links = readdirSync(`/proc/${handle.monitorPid}/fd`).map((fd) =>
    readlinkSync(`/proc/${handle.monitorPid}/fd/${fd}`),
  );
  const allowed =
    /^(\/dev\/null|socket:|pipe:|anon_inode:\[(eventfd|signalfd|eventpoll)\])|\/(ctl|winsz|monitor\.log)$|memory\.oom_control$/;
  expect(links.filter((link) => !allowed.test(link))).toEqual([]);
  await runtime.remove(handle);
});

test('a folder longer than a socket address', async () => {
  const request = subject.request(['echo', 'far']);
  const directory = join(subject.directory, 'deep'.repeat(50), '1');
  const { output } = await runRequest(subject, { ...request, directory });
  expect(output.stdout).toBe('far\n');
});

test('create() aborted at any moment leaves nothing', async () => {
  for (let delayMs = 0; delayMs < 60; delayMs += 1.5) {
    const request = subject.request(['sleep', '60']);
    const abort = new AbortController();
    const creating = subject.runtime.create(request, { signal: abort.signal });
    setTimeout(() => abort.abort(new Error('enough')), delayMs);
    const outcome = await creating.catch((error: unknown) => error);
    if (!(outcome instanceof Error)) await subject.runtime.remove(outcome as TaskHandle);
    expect(await subject.leftovers(request)).toEqual([]);
  }
});

test('an older start that is removed late does not touch the newer one', async () => {
  const first = subject.request(['true']);
  const { runtime } = subject;
  const old = await runtime.create(first, { signal });
  await runtime.start(old);
  await runtime.wait(old, { signal });
  const second = {
    ...first,
    id: { ...first.id, generation: 2 },
    directory: `${first.directory}-2`,
    spec: subject.build(['sleep', '60']).spec,
  };
  second.spec.linux = { ...second.spec.linux, ...pathOf(second) };
  const handle = await runtime.create(second, { signal });
  await runtime.start(handle);
  await runtime.remove(old);
  await runtime.recover([handle]);
  expect(await runtime.processes(handle)).toContain(handle.pid);
  const third = { ...second, id: { ...first.id, generation: 3 }, directory: `${first.directory}-3` };
  expect(await rejection(runtime.create(third, { signal }))).toMatchObject({ kind: 'conflict' });
  expect(await runtime.processes(handle)).toContain(handle.pid);
  await runtime.remove(handle);
  expect(await subject.leftovers(second)).toEqual([]);
});

test('an OCI runtime that hangs in create is given up, and nothing of it is left', async () => {
  const path = join(subject.directory, 'hanging-runtime');
  const { binary } = subject.probed;
  const script = `#!/bin/sh\nfor word; do if [ "$word" = create ]; then while :; do sleep 0.1; done; fi; done\nexec ${binary.path} "$@"\n`;
  writeFileSync(path, script, { mode: 0o755 });
  const probed = { ...subject.probed, binary: { ...binary, path } };
  const runtime = new ConmonRuntime({ directory: subject.directory, probed, createTimeoutMs: 500 });
  const request = subject.request(['true']);
  expect(await rejection(runtime.create(request, { signal }))).toMatchObject({
    kind: 'internal',
    message: expect.stringContaining('has not answered in 500 ms'),
  });
  expect(await subject.leftovers(request)).toEqual([]);
  rmSync(path);
});

test('an exit that nobody saw is found by the next daemon, with its time', async () => {
  const request = subject.request(['sh', '-c', 'exit 9']);
  const handle = await subject.runtime.create(request, { signal });
  await subject.runtime.start(handle);
  await sleep(500);
  const before = BigInt(Date.now() - 200) * 1_000_000n;
  const next = new ConmonRuntime({ directory: subject.directory, probed: subject.probed });
  const exit = await next.wait(handle, { signal });
  expect(exit.exitCode).toBe(9);
  expect(exit.finishedAtNano < before).toBe(true);
  await next.remove(handle);
  expect(await subject.leftovers(request)).toEqual([]);
});

test('the daemon killed while a container prints: the next one finds it, and the log has every line once', async () => {
  const logPath = join(subject.directory, 'survivor.log');
  const args = [
    'sh',
    '-c',
    'i=0; while [ $i -lt 150 ]; do echo line $i; i=$((i+1)); sleep 0.01; done; exit 4',
  ];
  const request = { ...subject.request(args), logPath };
  const order = join(subject.directory, 'order.json');
  writeFileSync(order, JSON.stringify({ request, probed: subject.probed, directory: subject.directory }));
  const program = new URL('../testing/dying-daemon.ts', import.meta.url).pathname;
  const daemon = Bun.spawn([process.execPath, program, order], { stdout: 'pipe', stderr: 'inherit' });
  const { value } = await daemon.stdout.getReader().read();
  const handle = JSON.parse(Buffer.from(value!).toString()) as TaskHandle;
  await sleep(300);
  daemon.kill('SIGKILL');
  await daemon.exited;
  await sleep(200);
  const next = new ConmonRuntime({ directory: subject.directory, probed: subject.probed });
  await next.recover([handle]);
  const output = collect(await next.attach(handle));
  expect((await next.wait(handle, { signal })).exitCode).toBe(4);
  const lines = readFileSync(logPath, 'utf8').trimEnd().split('\n');
  expect(lines.map((line) => line.split(' ').slice(3).join(' '))).toEqual(
    Array.from({ length: 150 }, (_none, index) => `line ${index}`),
  );
  expect((await output).stdout.endsWith('line 148\nline 149\n')).toBe(true);
  await next.remove(handle);
  expect(await subject.leftovers(request)).toEqual([]);
});

test('twenty starts at once end well', async () => {
  const runs = Array.from({ length: 20 }, (_none, index) =>
    runRequest(subject, subject.request(['echo', String(index)])),
  );
  const outputs = (await Promise.all(runs)).map(({ output }) => output.stdout);
  expect(outputs).toEqual(Array.from({ length: 20 }, (_none, index) => `${index}\n`));
});
