import { afterAll, beforeAll, expect, test } from 'bun:test';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { silentLogger } from '../../errors/logger.ts';
import type { DoctorCheck } from '../../wire/doctor.ts';
import { readSettings } from '../daemon-settings.ts';
import { RegistryAccess } from '../registry-access.ts';
import type { Subject } from './check.ts';
import { registriesCheck } from './registries.ts';

// What is on loopback has our own clock.
const outside = Object.values(networkInterfaces())
  .flat()
  .find((entry) => entry?.family === 'IPv4' && !entry.internal)?.address;
const servers: Server[] = [];
/** By what they do, on ports of their own. */
const at: Record<string, string> = {};

beforeAll(async () => {
  const answers: Record<string, [status: number, type: string] | undefined> = {
    good: [200, 'application/json'],
    login: [401, 'application/json'],
    refuses: [403, 'text/plain'],
    broken: [500, 'text/plain'],
    page: [200, 'text/html; charset=utf-8'],
    hangs: undefined,
  };
  for (const [name, answer] of Object.entries(answers)) {
    const server = createServer((_request, response) => {
      if (answer === undefined) return;
      response.setHeader('date', new Date(Date.now() + 3_600_000).toUTCString());
      response.writeHead(answer[0], { 'content-type': answer[1] }).end('{}');
    });
    servers.push(server);
    await new Promise<void>((resolve) => void server.listen(0, resolve));
    at[name] = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
});
afterAll(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

async function look(config: Record<string, unknown>): Promise<DoctorCheck[]> {
  const settings = readSettings([], () => ({
    path: '/etc/sampan/daemon.json',
    values: new Map(Object.entries(config)),
    warnings: [],
  }));
  const subject = { settings, registry: new RegistryAccess(settings, silentLogger) } as unknown as Subject;
  return await registriesCheck({ headMs: 500 }).run(subject, { signal: AbortSignal.timeout(10_000) });
}

function of(checks: readonly DoctorCheck[], host: string | undefined): DoctorCheck | undefined {
  return checks.find(({ Subject }) => Subject === `http://${host}/v2/`);
}

test('each mirror that will not do is named with why, and what is spare does little harm', async () => {
  const bad = ['refuses', 'broken', 'page', 'hangs'] as const;
  const mirrors = [
    ...bad.map((name) => `http://${at[name]}`),
    'http://no-such-host.invalid',
    `http://${at['good']}`,
  ];
  const checks = await look({ 'registry-mirrors': mirrors });
  const found = Object.fromEntries(bad.map((name) => [name, of(checks, at[name])?.Found]));
  expect(found).toEqual({
    refuses: 'mirror of docker.io: refuses to serve this machine (403 Forbidden)',
    broken: 'mirror of docker.io: answers 500',
    page: 'mirror of docker.io: answers with a web page: that is no registry, or one behind a login page',
    hangs: 'mirror of docker.io: does not answer within 0.5 s',
  });
  expect(of(checks, 'no-such-host.invalid')?.Found).toContain('lookup no-such-host.invalid: no such host');
  expect(bad.map((name) => of(checks, at[name])?.State)).toEqual(Array(4).fill('warning'));
  expect(of(checks, at['refuses'])).toMatchObject({
    Name: 'mirror',
    Advice: 'mend it, or take it out of registry-mirrors in /etc/sampan/daemon.json',
    Command: 'kill -HUP $(cat /run/sampan.pid)',
  });
  expect(of(checks, at['good'])).toMatchObject({ State: 'ok', Cost: '', Command: '' });
  expect(of(checks, at['good'])?.Found).toMatch(/^mirror of docker\.io, answers in \d+ ms$/);
  const hub = checks.find(({ Subject }) => Subject.includes('registry-1.docker.io'));
  expect(hub?.State).not.toBe('failure');
});

test('a registry for which nobody answers is a failure, one that wants a login is not', async () => {
  const [login, hangs] = [at['login'] ?? '', at['hangs'] ?? ''];
  const checks = await look({
    registries: { [login]: {}, [hangs]: { mirrors: [`http://${at['broken']}`] } },
    'insecure-registries': [login],
  });
  expect(of(checks, login)?.State).toBe('ok');
  expect([
    of(checks, at['broken'])?.State,
    checks.find(({ Subject }) => Subject.includes(hangs))?.State,
  ]).toEqual(['failure', 'failure']);
});

test.skipIf(outside === undefined)(
  'the clock is held against registries on other machines alone',
  async () => {
    const local = await look({ 'registry-mirrors': [`http://${at['good']}`] });
    expect(local.find(({ Name }) => Name === 'clock')?.Found).not.toContain('behind');
    const there = await look({
      'registry-mirrors': [`http://${at['good']?.replace('127.0.0.1', outside ?? '')}`],
    });
    expect(there.find(({ Name }) => Name === 'clock')).toMatchObject({
      State: 'warning',
      Found: expect.stringMatching(/^(?:3599|3600|3601) s behind the registries'$/),
    });
  },
);
