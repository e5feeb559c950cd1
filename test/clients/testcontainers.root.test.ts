import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { eventually, start } from '../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../support/engine/test-daemon.ts';

/** In the place of Testcontainers' reaper, whose image is not to be had here: it takes the filters and removes what they name when the connection ends. */
const REAPER = `FROM busybox
RUN printf '%s\\n' '#!/bin/sh' 'while read -r line; do echo "$line" >> /filters; echo ACK; done' > /serve && chmod +x /serve
CMD ["sh", "-c", "test -S /var/run/docker.sock && echo Started; while true; do nc -l -p 8080 -e /serve; echo gone; done"]
`;

let registry: SeedRegistry | undefined;
let engine: TestDaemon;
let folder: string;

beforeAll(async () => {
  registry = await startSeedRegistry();
  engine = await startDaemon({ mirrors: [registry.url] });
  folder = mkdtempSync(join(tmpdir(), 'sampan-testcontainers-'));
  writeFileSync(join(folder, 'Dockerfile'), REAPER);
  await engine.out(['build', '-q', '-t', 'reaper:1', folder]);
  writeFileSync(join(folder, 'Dockerfile'), 'FROM busybox\nRUN echo built > /file\nCMD ["cat", "/file"]\n');
});
afterAll(async () => {
  await engine.close();
  await registry?.close();
  rmSync(folder, { recursive: true, force: true });
});

test('Testcontainers starts, reaches, restarts, builds and stops, with its reaper', async () => {
  const program = start(['node', resolve(import.meta.dir, 'programs/testcontainers.mjs'), folder], {
    env: { ...engine.env, DOCKER_HOST: `unix://${engine.socket}`, RYUK_CONTAINER_IMAGE: 'reaper:1' },
  });
  try {
    await program.until(/"left".*\n/, 50_000);
    expect(program.seen.stderr).toBe('');
    const { left, ...seen } = JSON.parse(program.seen.stdout) as Record<'left', string>;
    expect(seen).toEqual({ page: 'hello\n', exec: 'copied', restarted: 'hello\n', built: 'built' });
    const [reaper = ''] = (await engine.out(['ps', '-q', '-f', 'name=testcontainers-ryuk'])).split('\n');
    expect((await engine.inspect(reaper))['HostConfig']).toMatchObject({
      AutoRemove: true,
      Binds: [`${engine.socket}:/var/run/docker.sock:rw`],
    });
    const filter = (await engine.out(['exec', reaper, 'cat', '/filters'])).trim();
    expect(filter).toMatch(/^label=org\.testcontainers\.session-id=\w+$/);
    expect(await engine.out(['ps', '-q', '--no-trunc', '--filter', filter])).toContain(left);
    // Once for the look whether the port is open.
    const gone = async () => (await engine.out(['logs', reaper])).split('gone').length - 1;
    const before = await gone();
    void program.child.stdin.end();
    expect(await program.end()).toMatchObject({ code: 0 });
    await eventually(async () => (await gone()) > before, { what: () => 'the reaper to see its client go' });
  } finally {
    program.child.kill('SIGKILL');
  }
}, 60_000);
