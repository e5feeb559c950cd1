import { expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callForRoot, prepareCall } from './call-for-root.ts';

const root = { uid: 123_000, gid: 456_000 };

test('the pipes become the root’s, /dev/null does not, and the program gets its words', () => {
  const directory = mkdtempSync(join(tmpdir(), "call '$x "));
  try {
    const score = Number(readFileSync('/proc/self/oom_score_adj', 'utf8'));
    prepareCall(directory, { oomScoreAdj: score + 1 });
    const [program, ...words] = callForRoot('/bin/sh', { root, directory });
    const script =
      'stat -Lc %u:%g /dev/stdin /dev/stdout /dev/stderr; cat /proc/self/oom_score_adj; echo "$0 $1"';
    // Bun's own are sockets.
    const piped = ['/bin/sh', '-c', '"$@" 2>&1 < /dev/null | cat', 'sh', program, ...words];
    const { stdout, exitCode } = Bun.spawnSync([...piped, '-c', script, 'a b', '$(c)']);
    expect(exitCode).toBe(0);
    expect(stdout.toString().split('\n')).toEqual([
      '0:0',
      '123000:456000',
      '123000:456000',
      String(score + 1),
      'a b $(c)',
      '',
    ]);
    expect([statSync('/dev/null').uid, statSync('/dev/null').gid]).toEqual([0, 0]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test('only limits above those that a process has as it is are raised before', () => {
  const directory = mkdtempSync(join(tmpdir(), 'call-'));
  try {
    const rlimits = [
      { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
      { type: 'RLIMIT_NOFILE', soft: 10, hard: 2 ** 40 },
    ];
    prepareCall(directory, { rlimits });
    expect(readFileSync(join(directory, 'prepare.sh'), 'utf8')).toBe(
      'prlimit --pid $$ --nofile=:1099511627776\n',
    );
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
