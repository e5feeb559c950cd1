import { existsSync, readFileSync, statSync } from 'node:fs';
import http from 'node:http';
import { errnoCodeOf } from '../../errors/engine-error.ts';
import type { DoctorCheck } from '../../wire/doctor.ts';
import type { DaemonSettings } from '../daemon-settings.ts';
import { readDaemonPid } from '../pid-file.ts';
import { finding } from './check.ts';

const LOG = '/var/log/sampan.log';
const LOG_TAIL_BYTES = 4096;
const LOG_LINES = 3;
const PING_MS = 3000;
const UNIT = '/etc/systemd/system/sampan.service';

type Answer = 'answers' | 'silent' | 'absent' | 'forbidden';

/** Why no daemon answers, as far as it can be seen from outside. */
export async function absentDaemon(
  settings: DaemonSettings,
  { settingsProblem, socket }: { settingsProblem: string | undefined; socket: string | undefined },
): Promise<DoctorCheck[]> {
  const wrong =
    settingsProblem === undefined
      ? []
      : [
          finding('configuration', 'failure', settingsProblem, {
            cost: 'the daemon does not start; what follows holds for its defaults',
            command: 'sampand --validate',
          }),
        ];
  return [...wrong, await daemonFinding(settings, socket ?? socketOf(settings))];
}

function socketOf({ hosts }: DaemonSettings): string {
  const path = hosts.find((host) => host.startsWith('unix://'))?.slice('unix://'.length);
  return path ?? '/run/sampan.sock';
}

async function daemonFinding(settings: DaemonSettings, socket: string): Promise<DoctorCheck> {
  const pid = readDaemonPid(settings.pidFile);
  const answer = await ask(socket);
  const start = existsSync(UNIT) ? 'systemctl start sampan' : 'npm start';
  if (answer === 'answers') return finding('daemon', 'ok', `a daemon answers at ${socket}`);
  if (answer === 'forbidden')
    return finding('daemon', 'failure', `you may not use ${socket}`, {
      cost: 'only root and the members of its group reach the daemon',
      command: `sudo usermod -aG ${settings.group} $USER && newgrp ${settings.group}`,
    });
  if (pid !== undefined)
    return finding('daemon', 'failure', `process ${pid} runs and does not answer at ${socket}`, {
      details: lastWords(),
      cost: 'containers run on; nothing can be started or stopped',
      command: `kill ${pid}; ${start}`,
    });
  return finding('daemon', 'failure', `no daemon runs: nobody listens at ${socket}`, {
    details: lastWords(),
    cost: 'containers that run do so on; nothing can be started or stopped',
    command: start,
  });
}

/** `GET /_ping`, which every engine of this API answers. */
function ask(socketPath: string): Promise<Answer> {
  return new Promise((resolve) => {
    const request = http.get({ socketPath, path: '/_ping', timeout: PING_MS }, (response) => {
      response.resume();
      resolve('answers');
    });
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.on('error', (error) => {
      const code = errnoCodeOf(error);
      if (code === 'EACCES' || code === 'EPERM') resolve('forbidden');
      else resolve(code === 'ENOENT' || code === 'ECONNREFUSED' ? 'absent' : 'silent');
    });
  });
}

/** Of the log that `npm start` has the daemon write. */
function lastWords(): string[] {
  if (existsSync(UNIT)) return ['its log: journalctl -u sampan'];
  try {
    const { size } = statSync(LOG);
    const text = readFileSync(LOG)
      .subarray(Math.max(0, size - LOG_TAIL_BYTES))
      .toString();
    const lines = text.trim().split('\n').slice(-LOG_LINES);
    return lines.length === 0 ? [] : [`the end of ${LOG}:`, ...lines];
  } catch {
    return [];
  }
}
