import { expect, test } from 'bun:test';
import { formatList } from './list-format.ts';
import { cpuShare, memoryUsage, STATS_HEADERS, STATS_TABLE, statsRow } from './stats-row.ts';

// An answer of Docker 28.5 (cgroup v1), shortened.
const ANSWER = {
  name: '/web',
  id: 'ea31847153ab4a08d72de7d02b984722393ce756d436757dfbd80b3f5d0d5ba9',
  read: '2026-11-26T02:00:16.741171017Z',
  preread: '2026-11-26T02:00:15.720005646Z',
  pids_stats: { current: 3 },
  blkio_stats: {
    io_service_bytes_recursive: [
      { op: 'Read', value: 1_500_000 },
      { op: 'Write', value: 2048 },
      { op: 'Total', value: 9 },
    ],
  },
  cpu_stats: {
    cpu_usage: { total_usage: 746_497_448 },
    system_cpu_usage: 26_222_000_000_000,
    online_cpus: 2,
  },
  precpu_stats: { cpu_usage: { total_usage: 246_497_448 }, system_cpu_usage: 26_220_000_000_000 },
  memory_stats: {
    usage: 450_560,
    stats: { total_inactive_file: 4096, inactive_file: 1 },
    limit: 25_276_510_208n,
  },
  networks: { eth0: { rx_bytes: 9934, tx_bytes: 100 }, eth1: { rx_bytes: 66, tx_bytes: 26 } },
};

test('the columns of Docker', () => {
  const text = formatList([statsRow({ container: 'web', stats: ANSWER }, { truncate: true })], {
    format: '',
    table: STATS_TABLE,
    headers: STATS_HEADERS,
  });
  expect(text).toBe(
    'CONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT   MEM %     NET I/O       BLOCK I/O        PIDS\n' +
      'ea31847153ab   web       50.00%    436KiB / 23.54GiB   0.00%     10kB / 126B   1.5MB / 2.05kB   3\n',
  );
});

test('what has not come yet', () => {
  const json = formatList([statsRow({ container: 'x', stats: undefined }, { truncate: true })], {
    format: 'json',
    table: '',
    headers: {},
  });
  expect(JSON.parse(json)).toEqual({
    BlockIO: '-- / --',
    CPUPerc: '--',
    Container: 'x',
    ID: '',
    MemPerc: '--',
    MemUsage: '-- / --',
    Name: '--',
    NetIO: '-- / --',
    PIDs: '--',
  });
});

test('cgroup v2 has other names, and a first sample no share', () => {
  expect(memoryUsage({ ...ANSWER, memory_stats: { usage: 100, stats: { inactive_file: 30 } } })).toBe(70);
  expect(memoryUsage({ ...ANSWER, memory_stats: { usage: 100, stats: { inactive_file: 300 } } })).toBe(100);
  expect(cpuShare({ ...ANSWER, precpu_stats: ANSWER.cpu_stats })).toBe(0);
  expect(cpuShare({ read: '', preread: '' })).toBe(0);
});
