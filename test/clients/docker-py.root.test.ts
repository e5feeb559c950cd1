import { afterAll, beforeAll, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { run } from '../support/engine/command.ts';
import { startDaemon, type TestDaemon } from '../support/engine/test-daemon.ts';
import { importVolumeBox } from '../support/engine/volume-box.ts';

const packages = resolve(import.meta.dir, '../../.cache/stock-clients/usr/lib/python3/dist-packages');
const there = existsSync(`${packages}/docker`);

// As Docker 28.5 tells of it.
const EVENTS =
  'create attach start extract-to-dir archive-path top pause unpause rename update kill kill stop die destroy'.split(
    ' ',
  );

let engine: TestDaemon;
beforeAll(async () => {
  engine = await startDaemon();
  await importVolumeBox(engine, 'box');
});
afterAll(() => engine?.close());

test.skipIf(!there)(
  'docker-py runs, follows, enters, fills and measures a container',
  async () => {
    const script = resolve(import.meta.dir, 'docker-py.py');
    const { stdout, stderr, code } = await run(['python3', script, 'box'], {
      env: { ...engine.env, PYTHONPATH: packages, PYTHONDONTWRITEBYTECODE: '1' },
    });
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as [string, unknown]);
    expect({ code, stderr, said: Object.fromEntries(lines) }).toEqual({
      code: 0,
      stderr: '',
      // Recorded from Docker 28.5.
      said: {
        run: ['out', 'err'],
        failure: [3, 'no\n'],
        attach: ['line 0'],
        logs: ['line 0', 'line 1', 'line 2'],
        exec: [4],
        demux: ['a\n', 'b\n'],
        'exec stream': 'one\ntwo\n',
        'exec socket': 'typed\n',
        put_archive: true,
        get_archive: ['put', 4, 'here'],
        stats: ['/py', true, true],
        'stats stream': '/py',
        top: true,
        paused: 'paused',
        renamed: ['pie', 67108864],
        wait: 137,
        events: EVENTS,
      },
    });
  },
  60_000,
);
