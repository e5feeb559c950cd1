import { afterAll, beforeAll, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunningRegistry } from '../../../src/registry/server/serve-registry.ts';
import { hasDockerRegistry, startDockerRegistry } from '../../../src/registry/testing/running-registry.ts';
import { must } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

const PASSWORD = 'hunter2-hunter2';
let seeds: SeedRegistry;
let registry: RunningRegistry;
let engine: TestDaemon;
const host = () => `127.0.0.1:${registry.port}`;

beforeAll(async () => {
  if (!hasDockerRegistry()) return;
  await must(['ip', 'link', 'set', 'lo', 'up']);
  seeds = await startSeedRegistry();
  registry = await startDockerRegistry({ ann: PASSWORD });
  engine = await startDaemon({ mirrors: [seeds.url], args: ['--debug'] });
  await engine.out(['pull', 'hello-world']);
  await engine.out(['tag', 'hello-world', `${host()}/private/hello:v1`]);
});
afterAll(async () => {
  await engine?.close();
  await registry?.close();
  await seeds?.close();
});

const login = (password: string) =>
  engine.run(['login', '-u', 'ann', '--password-stdin', host()], { stdin: password });

// Texts as dockerd 28.5 gives them for the same registry.
test.skipIf(!hasDockerRegistry())(
  'the stock client logs in, pushes and pulls; without a login it is told so; the password is nowhere',
  async () => {
    const refusedPush = await engine.run(['push', `${host()}/private/hello:v1`]);
    expect([refusedPush.code, refusedPush.stderr]).toEqual([
      1,
      expect.stringContaining('no basic auth credentials'),
    ]);
    const wrong = await login('not it');
    expect([wrong.code, wrong.stderr]).toEqual([
      1,
      expect.stringContaining(`login attempt to http://${host()}/v2/ failed with status: 401 Unauthorized`),
    ]);
    expect((await login(PASSWORD)).stdout).toContain('Login Succeeded');
    expect(await engine.out(['push', `${host()}/private/hello:v1`])).toContain('v1: digest: sha256:');
    await engine.out(['rmi', `${host()}/private/hello:v1`]);
    await engine.out(['pull', `${host()}/private/hello:v1`]);
    expect(await engine.out(['pull', '-a', `${host()}/private/hello`])).toContain('Image is up to date');
    await engine.out(['logout', host()]);
    await engine.out(['rmi', `${host()}/private/hello:v1`]);
    const refusedPull = await engine.run(['pull', `${host()}/private/hello:v1`]);
    expect([refusedPull.code, refusedPull.stderr]).toEqual([
      1,
      expect.stringContaining('no basic auth credentials'),
    ]);
    const log = readFileSync(join(engine.root, 'log'), 'utf8');
    for (const secret of [PASSWORD, btoa(`ann:${PASSWORD}`)]) expect(log).not.toContain(secret);
  },
);
