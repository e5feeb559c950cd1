import { afterAll, beforeAll, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

let registry: SeedRegistry | undefined;
let engine: TestDaemon;
beforeAll(async () => {
  registry = await startSeedRegistry();
  engine = await startDaemon({ mirrors: [registry.url] });
  await engine.pull('busybox');
});
afterAll(async () => {
  await engine.close();
  await registry?.close();
});

/** Each flag that has its effect shown by a test, by the file below `test/integration` in which it is typed. */
const SHOWN: Readonly<Record<string, string>> = {
  'containers/run-flags':
    'add-host annotation attach blkio-weight blkio-weight-device cap-add cap-drop cgroup-parent cgroupns cidfile cpu-period cpu-quota cpu-rt-period cpu-shares cpus cpuset-cpus cpuset-mems device device-cgroup-rule device-read-bps device-read-iops device-write-bps device-write-iops dns dns-option dns-search domainname entrypoint env env-file expose gpus group-add hostname init interactive ipc isolation kernel-memory label label-file log-driver log-opt memory memory-reservation memory-swappiness network oom-kill-disable oom-score-adj pid pids-limit platform privileged pull read-only rm runtime security-opt shm-size stop-signal stop-timeout storage-opt sysctl tmpfs tty ulimit user userns uts workdir',
  'containers/update': 'memory-swap',
  'containers/health': 'health-cmd health-interval health-retries health-timeout',
  'containers/restart-policies': 'detach name restart',
  'volumes/volumes': 'volume volumes-from',
  'volumes/mounts': 'mount',
};

const SHORT: Readonly<Record<string, string>> = { detach: '-d', label: '-l', volume: '-v' };

interface Case {
  args: string[];
  /** What the command prints, or the refusal's first line; by default `runs`. */
  said?: string | RegExp;
  /** What inspect shows of the container. */
  shown?: object;
}

/** Those whose effect is looked at here. */
const HERE: Readonly<Record<string, Case>> = {
  'cpu-rt-runtime': {
    args: ['--cpu-rt-runtime', '1000', '--cpu-rt-period', '1000000'],
    said: /^runs|cpu\.rt_runtime_us|not been configured|Your kernel does not support/,
  },
  'detach-keys': { args: ['-i', '--detach-keys', 'nope'], said: /received 400|Invalid detach keys/ },
  'disable-content-trust': { args: ['--disable-content-trust'] },
  'health-start-interval': {
    args: ['--health-cmd', 'true', '--health-start-interval', '2s'],
    shown: { Config: { Healthcheck: { Test: ['CMD-SHELL', 'true'], StartInterval: 2_000_000_000 } } },
  },
  'health-start-period': {
    args: ['--health-cmd', 'true', '--health-start-period', '3s'],
    shown: { Config: { Healthcheck: { Test: ['CMD-SHELL', 'true'], StartPeriod: 3_000_000_000 } } },
  },
  'no-healthcheck': { args: ['--no-healthcheck'], shown: { Config: { Healthcheck: { Test: ['NONE'] } } } },
  help: { args: ['--help'], said: /^Usage:\s+docker run/ },
  quiet: { args: ['-q', '--pull', 'always'], said: 'runs' },
  'sig-proxy': { args: ['--sig-proxy=false'] },
  'use-api-socket': {
    args: ['--use-api-socket'],
    said: /^runs|experimental|bind source path does not exist|unknown flag/,
  },
  'volume-driver': {
    args: ['--volume-driver', 'nope', '-v', 'driven:/x'],
    said: /error looking up volume plugin nope: plugin "nope" not found/,
  },
  ip: { args: ['--ip', '172.17.0.9'], said: /on user defined networks only|not implemented|not supported/ },
  ip6: { args: ['--ip6', 'fe80::9'], said: /on user defined networks only|not implemented|not supported/ },
  link: { args: ['--link', 'nobody:b'], said: /could not get container for nobody|--link|not implemented/ },
  'link-local-ip': { args: ['--link-local-ip', '169.254.1.1'], said: /^runs|not implemented|not supported/ },
  'network-alias': { args: ['--network-alias', 'x'], said: /only supported for user-defined networks/ },
  'mac-address': {
    args: ['--mac-address', '02:00:00:00:00:09'],
    said: /^runs|not implemented|not supported/,
  },
  publish: { args: ['-p', '127.0.0.1:0:80'], said: /^runs|--publish/ },
  'publish-all': { args: ['-P'], said: /^runs|--publish-all/ },
};

/** For another system: the client hides them on one daemon and shows them on none. */
const WINDOWS = ['cpu-count', 'cpu-percent', 'io-maxbandwidth', 'io-maxiops'];

test("the table has every flag of the stock client's `run --help`, and no other", async () => {
  const help = await engine.out(['run', '--help']);
  const printed = [...help.matchAll(/^ +(?:-\w, )? *--([\w-]+)/gm)].map(([, name = '']) => name);
  expect(printed.length).toBeGreaterThan(80);
  const known = new Set([...Object.values(SHOWN).join(' ').split(' '), ...Object.keys(HERE), ...WINDOWS]);
  expect(printed.filter((name) => !known.has(name))).toEqual([]);
});

test.each(Object.entries(SHOWN))('%s types the flags that it is named for', (file, flags) => {
  const text = readFileSync(resolve(import.meta.dir, `../${file}.root.test.ts`), 'utf8');
  const typed = (flag: string) =>
    [`--${flag}`, SHORT[flag]].some(
      (word) => word !== undefined && new RegExp(`['" ]${word}[='" ]`).test(text),
    );
  expect(flags.split(' ').filter((flag) => !typed(flag))).toEqual([]);
});

test.each(Object.entries(HERE))('--%s', async (flag, { args, said = 'runs', shown }) => {
  if (shown === undefined) {
    const { stdout, stderr } = await engine.run(['run', '--rm', ...args, 'busybox', 'echo', 'runs']);
    const text = (stdout.trim() || stderr.trim()).replace('docker: Error response from daemon: ', '');
    if (typeof said === 'string') expect(text).toBe(said);
    else expect(text).toMatch(said);
    return;
  }
  await engine.out(['create', '--name', flag, ...args, 'busybox']);
  expect(await engine.inspect(flag)).toMatchObject(shown);
  await engine.out(['rm', flag]);
});
