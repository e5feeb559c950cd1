import { afterAll, beforeAll, expect, test } from 'bun:test';
import { FakeDaemon, runCli } from '../../../../test/support/cli/fake-daemon.ts';
import type { DoctorReport } from '../../../wire/doctor.ts';

const report: DoctorReport = {
  Version: 1,
  EngineVersion: '9.9.9',
  Running: true,
  State: 'note',
  OperatingSystem: 'Debian',
  KernelVersion: '6.12',
  Architecture: 'x86_64',
  Checks: [
    {
      Name: 'disk',
      Subject: '',
      State: 'note',
      Found: 'little',
      Details: [],
      Cost: '',
      Advice: '',
      Command: '',
    },
  ],
};
let ours: FakeDaemon;
let dockers: FakeDaemon;

beforeAll(async () => {
  ours = new FakeDaemon({ 'GET /doctor': { body: report } }, { server: 'Sampan/9.9.9 (linux)' });
  dockers = new FakeDaemon({ 'GET /doctor': { body: report } });
  await ours.listen();
  await dockers.listen();
});
afterAll(() => {
  ours.close();
  dockers.close();
});

test('the daemon is asked; its report is shown, or printed as it came', async () => {
  const { status, out } = await runCli(ours, ['doctor']);
  expect([status, out]).toEqual([
    0,
    'Sampan 9.9.9 on Debian, kernel 6.12, x86_64\n\nnote     disk  little\n\n1 note\n',
  ]);
  expect(JSON.parse((await runCli(ours, ['doctor', '--json'])).out)).toEqual(report);
  expect(ours.taken()).toEqual(['GET /doctor', 'GET /doctor']);
});

test('its status is 1 when something fails', async () => {
  ours.answers['GET /doctor'] = { body: { ...report, State: 'failure' } };
  expect((await runCli(ours, ['doctor', '--json'])).status).toBe(1);
});

test("a daemon of Docker's is not asked what it can't do", async () => {
  const { status, err } = await runCli(dockers, ['system', 'doctor']);
  expect([status, err]).toEqual([1, expect.stringContaining('it is Docker/28.5.2')]);
  expect(dockers.taken()).toEqual([]);
});

test('of a machine elsewhere that does not answer nothing is said that would hold here', async () => {
  const { status, err } = await runCli(ours, ['doctor'], { env: { DOCKER_HOST: 'tcp://127.0.0.1:9' } });
  expect([status, err]).toEqual([
    1,
    expect.stringContaining('Cannot connect to the Docker daemon at tcp://127.0.0.1:9'),
  ]);
});
