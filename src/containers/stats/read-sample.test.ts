import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { SampleReader } from './read-sample.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sample-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function lay(files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}
const TARGET = { id: 'x', pid: 7, startTicks: 1, network: true };
const COMMON = {
  'proc/stat': 'cpu  10 20 30 40 50 60 70 80 90 100\ncpu0 1 2\ncpu1 1 2\nintr 5\n',
  'proc/7/net/dev':
    'Inter-|   Receive\n face |bytes\n    lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n  eth0:9934     221    1    2    0     0          0         0      126       3    4    5    0     0       0          0\n',
};

test('cgroup v2', () => {
  lay({
    ...COMMON,
    'proc/7/cgroup': '0::/s/x\n',
    'cg/s/x/cpu.stat':
      'usage_usec 1500\nuser_usec 1000\nsystem_usec 500\nnr_periods 3\nnr_throttled 2\nthrottled_usec 9\n',
    'cg/s/x/memory.current': '4096\n',
    'cg/s/x/memory.max': 'max\n',
    'cg/s/x/memory.events': 'low 0\noom 2\noom_kill 1\n',
    'cg/s/x/memory.stat': 'anon 18446744073709551615\ninactive_file 5\n',
    'cg/s/x/io.stat': '8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n',
    'cg/s/x/pids.current': '4\n',
    'cg/s/x/pids.max': '100\n',
  });
  const reader = new SampleReader(
    {
      layout: 'v2',
      version: '2',
      hierarchies: [],
      unified: { directory: join(root, 'cg'), root: '/' },
      controllers: new Set(),
    },
    root,
  );
  expect(reader.read(TARGET)).toMatchObject({
    cpu: {
      totalNano: 1_500_000n,
      perCpuNano: undefined,
      userNano: 1_000_000n,
      kernelNano: 500_000n,
      systemNano: 3_600_000_000n,
      onlineCpus: 2,
      throttling: { periods: 3n, throttledPeriods: 2n, throttledNano: 9000n },
    },
    memory: {
      usage: 4096n,
      failures: 2n,
      limit: BigInt(totalmem()),
      stats: { anon: 18446744073709551615n, inactive_file: 5n },
    },
    blockIo: {
      io_service_bytes_recursive: [
        { major: 8, minor: 0, op: 'read', value: 10n },
        { major: 8, minor: 0, op: 'write', value: 20n },
      ],
    },
    pids: { current: 4n, limit: 100n },
    networks: {
      eth0: {
        rxBytes: 9934n,
        rxPackets: 221n,
        rxErrors: 1n,
        rxDropped: 2n,
        txBytes: 126n,
        txPackets: 3n,
        txErrors: 4n,
        txDropped: 5n,
      },
    },
  });
});

test('cgroup v1, each controller in its hierarchy', () => {
  lay({
    ...COMMON,
    'proc/7/cgroup': '4:memory:/m/x\n3:cpuacct,cpu:/c/x\n2:pids:/outer/p/x\n1:blkio:/b/x\n0::/\n',
    'cpu/c/x/cpuacct.usage': '300\n',
    'cpu/c/x/cpuacct.usage_percpu': '100 200 \n',
    'cpu/c/x/cpuacct.stat': 'user 2\nsystem 1\n',
    'cpu/c/x/cpu.stat': 'nr_periods 1\nnr_throttled 0\nthrottled_time 7\n',
    'memory/m/x/memory.usage_in_bytes': '99\n',
    'memory/m/x/memory.max_usage_in_bytes': '100\n',
    'memory/m/x/memory.failcnt': '6\n',
    'memory/m/x/memory.limit_in_bytes': '1048576\n',
    'memory/m/x/memory.stat': 'cache 1\n',
    'blkio/b/x/blkio.throttle.io_service_bytes_recursive': '8:0 Read 4096\n8:0 Total 4096\nTotal 4096\n',
    'pids/p/x/pids.current': '1\n',
    'pids/p/x/pids.max': 'max\n',
  });
  const hierarchies = ['memory', 'cpu,cpuacct', 'pids', 'blkio'].map((names) => ({
    directory: join(root, names.split(',')[0] ?? ''),
    // As an engine in a container sees it: what is mounted there begins at the container's own.
    root: names === 'pids' ? '/outer' : '/',
    controllers: names.split(','),
  }));
  const reader = new SampleReader(
    {
      layout: 'hybrid',
      version: '1',
      hierarchies,
      unified: { directory: join(root, 'unified'), root: '/' },
      controllers: new Set(),
    },
    root,
  );
  expect(reader.read({ ...TARGET, network: false })).toMatchObject({
    cpu: { totalNano: 300n, perCpuNano: [100n, 200n], userNano: 20_000_000n, kernelNano: 10_000_000n },
    memory: { usage: 99n, maxUsage: 100n, failures: 6n, limit: 1_048_576n, stats: { cache: 1n } },
    blockIo: {
      io_service_bytes_recursive: [{ major: 8, minor: 0, op: 'Read', value: 4096n }, { op: 'Total' }],
      io_queue_recursive: [],
    },
    pids: { current: 1n, limit: undefined },
    networks: undefined,
  });
});

test('one that is gone', () => {
  lay(COMMON);
  const reader = new SampleReader(
    { layout: 'v1', version: '1', hierarchies: [], unified: undefined, controllers: new Set() },
    root,
  );
  expect(reader.read(TARGET)).toBeUndefined();
});
