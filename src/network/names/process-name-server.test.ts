import { expect, test } from 'bun:test';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../../errors/engine-error.ts';
import { type Logger, silentLogger } from '../../errors/logger.ts';
import { patience } from '../../sys/testing/patience.ts';
import { ProcessNameServer } from './process-name-server.ts';

test(
  'a name server that does not answer is ended, and another takes its place',
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'names-'));
    const pids: number[] = [];
    const debug: Logger['debug'] = (_message, fields) => void pids.push(Number(fields?.['pid']));
    const server = new ProcessNameServer({ directory, logger: { ...silentLogger, debug }, patienceMs: 2000 });
    const isServer = (pid: number): boolean =>
      existsSync(`/proc/${pid}/cmdline`) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(directory);
    let lost = 0;
    server.onLost(() => void lost++);
    try {
      await server.adopt({ containers: [], endpoints: [] });
      process.kill(pids[0]!, 'SIGSTOP');
      const failures = await Promise.all(
        ['a', 'b'].map((id) =>
          server.forget(id).then(
            () => '',
            (error: unknown) => messageOf(error),
          ),
        ),
      );
      expect(failures).toEqual(['The name server does not answer', 'The name server does not answer']);
      expect(isServer(pids[0]!)).toBe(false);
      expect(lost).toBe(1);
      expect(await server.adopt({ containers: [], endpoints: [] })).toEqual(new Map());
      expect(pids).toHaveLength(2);
    } finally {
      await server.close({ stop: true });
      for (const pid of pids.filter(isServer)) process.kill(pid, 'SIGKILL');
      rmSync(directory, { recursive: true });
    }
  },
  30_000 * patience,
);
