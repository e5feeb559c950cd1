import { describe, expect, test } from 'bun:test';
import { createError, lastMessage } from './runtime-errors.ts';

const PREFIX =
  'failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: ';
const HINT =
  ': Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type';

function runc(message: string): string {
  return `time="2026-01-01T00:00:00Z" level=error msg=${JSON.stringify(message)}\n`;
}

/** What crun 1.8.1 and runc 1.1.5 say, and what Docker 28.5 (runc 1.3) said for the same. */
const cases: [said: string, command: string, words: string, code: string | undefined][] = [
  [
    'executable file `nosuch` not found in $PATH: No such file or directory\n',
    'nosuch',
    'exec: "nosuch": executable file not found in $PATH',
    'command-not-found',
  ],
  [
    'executable file `./x` not found in $PATH: No such file or directory',
    './x',
    'exec: "./x": stat ./x: no such file or directory',
    'command-not-found',
  ],
  [
    'executable file `/x` not found: No such file or directory',
    '/x',
    'exec: "/x": stat /x: no such file or directory',
    'command-not-found',
  ],
  [
    'open executable: Permission denied',
    '/etc/f',
    'exec: "/etc/f": permission denied',
    'command-not-executable',
  ],
  [
    'open `/etc/f`: Permission denied',
    '/etc/f',
    'exec: "/etc/f": permission denied',
    'command-not-executable',
  ],
  [
    'open executable: Operation not permitted',
    '/etc',
    'exec: "/etc": is a directory: permission denied',
    'command-not-executable',
  ],
  [
    'open executable: Operation not permitted',
    '',
    'exec: "": executable file not found in $PATH',
    'command-not-found',
  ],
  [
    runc(
      'runc create failed: unable to start container process: exec: "nosuch": executable file not found in $PATH',
    ),
    'nosuch',
    'exec: "nosuch": executable file not found in $PATH',
    'command-not-found',
  ],
  [
    runc(
      'runc create failed: unable to start container process: error during container init: exec: "/etc": is a directory: permission denied',
    ),
    '/etc',
    'exec: "/etc": is a directory: permission denied',
    'command-not-executable',
  ],
  [
    'mount `/tmp` to `etc/passwd`: Not a directory',
    'true',
    `error mounting "/tmp" to rootfs at "/etc/passwd": mount src=/tmp, dst=/etc/passwd: not a directory${HINT}`,
    undefined,
  ],
  [
    runc(
      'runc create failed: unable to start container process: error during container init: error mounting "/tmp" to rootfs at "/etc/passwd": mount /tmp:/etc/passwd (via /proc/self/fd/6), flags: 0x5000: not a directory',
    ),
    'true',
    `error mounting "/tmp" to rootfs at "/etc/passwd": mount /tmp:/etc/passwd (via /proc/self/fd/6), flags: 0x5000: not a directory${HINT}`,
    undefined,
  ],
  [
    "error stat'ing file `/nonexist`: No such file or directory",
    'true',
    'error mounting "/nonexist" to rootfs: stat /nonexist: no such file or directory',
    'command-not-found',
  ],
  [
    'write to /proc/sys/kernel/shmmax: Invalid argument',
    'true',
    'write to /proc/sys/kernel/shmmax: invalid argument',
    undefined,
  ],
  // crun 1.29
  [
    'the path `/etc/f` exists but it is not executable: Operation not permitted',
    '/etc/f',
    'exec: "/etc/f": permission denied',
    'command-not-executable',
  ],
  [
    'the path `/etc` is not a regular file: Operation not permitted',
    '/etc',
    'exec: "/etc": is a directory: permission denied',
    'command-not-executable',
  ],
  [
    'executable file `/opt/./x` not found: No such file or directory',
    './x',
    'exec: "./x": stat ./x: no such file or directory',
    'command-not-found',
  ],
  [
    'cannot find `` in $PATH: No such file or directory',
    '',
    'exec: "": executable file not found in $PATH',
    'command-not-found',
  ],
  [
    'open executable: Permission denied',
    'plain',
    'exec: "plain": executable file not found in $PATH',
    'command-not-found',
  ],
  [
    'open executable: Not a directory',
    '/etc/passwd/x',
    `exec: "/etc/passwd/x": stat /etc/passwd/x: not a directory${HINT}`,
    undefined,
  ],
  // Not the command.
  [
    'open `/dev/null`: No such device or address',
    'true',
    'open "/dev/null": no such device or address',
    undefined,
  ],
];

describe('createError() speaks as Docker does', () => {
  for (const [said, command, words, code] of cases) {
    test(said.trim().slice(0, 100), () => {
      const error = createError(said, command);
      expect(error.message).toBe(`${PREFIX}${words}`);
      expect(error.code as string | undefined).toBe(code);
      expect(error.kind).toBe(code === undefined ? 'internal' : 'invalid');
    });
  }
});

test('warnings before the error are passed over', () => {
  expect(lastMessage(`${runc('bad')}time="x" level=warning msg="later"\n`)).toBe('bad');
  expect(lastMessage('')).toBe('the runtime gave no reason');
});

test('a working directory that is a file is told of as Docker does, which makes it before it calls the runtime', () => {
  for (const said of [
    'chdir `/etc/passwd`: Not a directory\n',
    runc(
      'runc create failed: unable to start container process: chdir to cwd ("/etc/passwd") set in config.json failed: not a directory',
    ),
    runc('runc create failed: unable to start container process: mkdir "/etc/passwd": not a directory'),
  ])
    expect(createError(said, 'true')).toMatchObject({
      kind: 'invalid',
      message: 'Cannot mkdir: /etc/passwd is not a directory',
    });
});
