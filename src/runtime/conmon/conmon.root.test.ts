import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TaskRequest } from '../runtime.ts';
import { conformancePrograms, rejection } from '../testing/conformance.ts';
import { openRealSubject, type RealSubject } from '../testing/real-subject.ts';
import { type Monitor, startMonitor } from './conmon.ts';
import { MonitorReport } from './conmon-report.ts';

let subject: RealSubject;
let request: TaskRequest;

beforeEach(async () => {
  subject = await openRealSubject('crun');
  request = subject.request(conformancePrograms.sleep);
  mkdirSync(join(request.directory, 'exit'), { recursive: true });
});

afterEach(async () => {
  await subject.close();
});

function monitor(): Monitor {
  const { probed, directory } = subject;
  return startMonitor(request, {
    binary: probed.binary,
    stateDirectory: join(directory, 'crun'),
    cgroupDriver: 'cgroupfs',
    conmonPath: probed.conmonPath,
    temporaryDirectory: directory,
  });
}

/** Waiting in read(2), with no child. */
async function waits({ child }: Monitor): Promise<boolean> {
  for (let attempt = 0; attempt < 400; attempt++) {
    const kernel = readFileSync(`/proc/${child.pid}/wchan`, 'utf8');
    const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8');
    const name = readFileSync(`/proc/${child.pid}/comm`, 'utf8').trim();
    if (name === 'conmon' && kernel.includes('pipe_read') && children === '') return true;
    await sleep(5);
  }
  return false;
}

test('a monitor is there before the spec is, and makes no process until it is released', async () => {
  const started = monitor();
  expect(await waits(started)).toBe(true);
  writeFileSync(join(request.directory, 'config.json'), JSON.stringify(request.spec));
  started.release();
  const pid = await started.created;
  expect(readFileSync(`/proc/${pid}/stat`, 'utf8')).toContain(`${pid} (`);
  started.close();
  process.kill(pid, 'SIGKILL');
  await started.child.exited;
});

test('one whose daemon is gone before the spec is there makes nothing and ends', async () => {
  const started = monitor();
  expect(await waits(started)).toBe(true);
  started.close();
  expect(await rejection(started.created)).toBeInstanceOf(MonitorReport);
  expect(await started.child.exited).not.toBe(0);
  expect(await subject.leftovers(request)).toEqual([request.directory]);
});
