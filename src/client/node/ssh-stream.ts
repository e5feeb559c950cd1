import { type ChildProcess, spawn } from 'node:child_process';
import { EngineError } from '../../errors/engine-error.ts';
import type { SshEndpoint } from '../endpoint.ts';
import { ByteQueue } from '../http1/byte-queue.ts';
import type { ByteStream } from '../transport.ts';

const MAX_STDERR = 4096;

export interface SshOptions {
  /** Which of the programs is asked first on the other side: each of them knows `system dial-stdio`. */
  program?: 'docker' | 'sampan';
  /** A folder of the user's own: connections to one host that follow each other share its ssh. */
  controlFolder?: string | undefined;
}

/** What is run for a connection: `ssh` with the user's own configuration, and the command there. */
export function sshCommand(
  { hostname, user, port, path }: SshEndpoint,
  { program = 'docker', controlFolder }: SshOptions = {},
): string[] {
  const other = program === 'docker' ? 'sampan' : 'docker';
  const args = `${path === undefined ? '' : `-H ${quoted(`unix://${path}`)} `}system dial-stdio`;
  // By sh: the shell that the user logs in to may be any.
  const there = `command -v ${program} >/dev/null 2>&1 && exec ${program} ${args}; exec ${other} ${args}`;
  return [
    'ssh',
    ...(user === undefined ? [] : ['-l', user]),
    ...(port === undefined ? [] : ['-p', String(port)]),
    '-o',
    'ConnectTimeout=30',
    ...(controlFolder === undefined
      ? []
      : ['-o', 'ControlMaster=auto', '-o', `ControlPath=${controlFolder}/%C`, '-o', 'ControlPersist=60']),
    '-T',
    '--',
    hostname,
    `sh -c ${quoted(there)}`,
  ];
}

/** A connection to the daemon of another host. What ssh has to say of a failure is the error of its bytes. */
export function openSsh(endpoint: SshEndpoint, options: SshOptions = {}): Promise<ByteStream> {
  const [program = '', ...args] = sshCommand(endpoint, options);
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  return new Promise((resolve, reject) => {
    child.once('error', (cause) =>
      reject(
        new EngineError(
          'unavailable',
          `error during connect: ${endpoint.url}: cannot run ssh: ${cause.message}`,
          {
            cause,
            hint: 'Install the ssh client (package openssh-client).',
          },
        ),
      ),
    );
    child.once('spawn', () => resolve(byteStream(child, endpoint)));
  });
}

function byteStream(child: ChildProcess, endpoint: SshEndpoint): ByteStream {
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null)
    throw new EngineError('internal', 'ssh was started without pipes');
  const queue = new ByteQueue({ pause: () => stdout.pause(), resume: () => stdout.resume() });
  let said = '';
  let answered = false;
  stderr.on('data', (chunk: Uint8Array) => {
    said = `${said}${Buffer.from(chunk).toString()}`.slice(0, MAX_STDERR);
  });
  stdout.on('data', (chunk: Uint8Array) => {
    answered = true;
    queue.push(chunk);
  });
  // A master of several connections keeps the error pipe open: the end of the process is what counts.
  let [code, outputEnded] = [undefined as number | null | undefined, false];
  const settle = (): void => {
    if (!outputEnded || code === undefined) return;
    queue.end(code === 0 || answered ? undefined : failure(endpoint, code, said));
  };
  stdout.on('end', () => {
    outputEnded = true;
    settle();
  });
  child.on('exit', (status) => {
    code = status;
    settle();
  });
  // What it died of is told by its exit.
  stdin.on('error', () => undefined);
  return {
    chunks: queue,
    write: (data) =>
      new Promise((resolve, reject) => {
        stdin.write(data, (error) => {
          if (error) reject(error);
          else resolve();
        });
      }),
    closeWrite: async () => void stdin.end(),
    close: () => {
      stdin.destroy();
      stdout.destroy();
      stderr.destroy();
      child.kill();
    },
    unref: () => child.unref(),
  };
}

function failure({ url }: SshEndpoint, code: number | null, said: string): EngineError {
  const reason = said.trim();
  return new EngineError(
    'unavailable',
    `error during connect: ${url}: ssh has exited with exit status ${code ?? 'of a signal'}${reason === '' ? '' : `: ${reason}`}`,
    {
      hint: 'Make sure that `ssh` reaches the host by that name, and that sampan or docker is on the PATH there.',
    },
  );
}

/** One word of a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
