import type { WaitResult } from '../../../client/model.ts';
import type { TimedCall } from '../../../client/timed-transport.ts';
import { EngineError, messageOf } from '../../../errors/engine-error.ts';
import type { Command } from '../../command.ts';
import type { Invocation } from '../../context.ts';
import { detachKeysOf } from '../../terminal/detach-keys.ts';
import { checkPullPolicy, createContainer } from './create-container.ts';
import { type CreateBody, createBody } from './create-options/create-body.ts';
import { CREATE_FLAGS } from './create-options/flags.ts';
import { followTerminalSize, forwardSignals } from './signals.ts';
import { DAEMON_FAILED, failure } from './start-failure.ts';
import { StreamSession } from './stream-session.ts';

const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;

export const command: Command = {
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  flags: [
    ...CREATE_FLAGS,
    { name: 'detach', short: 'd', kind: 'bool', usage: 'Run in the background and print the container ID' },
    { name: 'detach-keys', kind: 'string', usage: 'Key sequence that leaves the container running' },
    { name: 'sig-proxy', kind: 'bool', usage: 'Pass signals on to the process', default: 'true' },
    { name: 'timing', kind: 'bool', usage: 'Tell on standard error where the time went' },
  ],
  args: { min: 1 },
  interspersed: false,
  examples: [
    'run --rm busybox echo hello',
    'run -it --rm busybox sh',
    'run -d --name web -p 8080:80 nginx',
    'run --rm -v "$PWD":/src -w /src busybox ls',
    'run --rm --timing busybox true',
  ],
  run,
};

async function run(invocation: Invocation): Promise<number> {
  return invocation.flags.bool('timing') ? runTimed(invocation) : runOnce(invocation);
}

async function runTimed(invocation: Invocation): Promise<number> {
  const begunMs = performance.now();
  const calls: TimedCall[] = [];
  invocation.client.connection.watchCalls((call) => calls.push(call));
  const status = await runOnce(invocation);
  const endedMs = performance.now();
  const { runTiming } = await import('../../output/run-timing.ts');
  await invocation.context.stderr.write(runTiming({ calls, begunMs, endedMs }));
  return status;
}

async function runOnce(invocation: Invocation): Promise<number> {
  const { context, flags, client } = invocation;
  client.connectAhead(1);
  let body: CreateBody;
  try {
    body = await createBody(flags, invocation.args, context);
    checkPullPolicy(flags);
  } catch (error) {
    throw failure(invocation, error, { command: 'run' });
  }
  const detach = flags.bool('detach');
  if (detach && flags.list('attach').length > 0)
    throw new EngineError('invalid', 'conflicting options: cannot specify both --attach and --detach');
  if (!detach && body.AttachStdin && body.Tty && !context.stdin.isTerminal)
    throw new EngineError('invalid', 'the input device is not a TTY');
  if (!detach) detachKeysOf(flags, context);
  let id: string;
  try {
    if (body.Tty) {
      const { width, height } = context.stdout.size();
      body.HostConfig.ConsoleSize = [height, width];
    }
    const creating = createContainer(invocation, body);
    // To attach, wait and start.
    client.connectAhead(detach ? 1 : 3);
    id = (await creating).Id;
  } catch (error) {
    throw failure(invocation, error, { command: 'run' });
  }
  return detach ? runDetached(invocation, id) : runAttached(invocation, { id, body });
}

async function runDetached(invocation: Invocation, id: string): Promise<number> {
  const { context, client, flags } = invocation;
  try {
    await client.containers.start(id, { detachKeys: detachKeysOf(flags, context) });
  } catch (error) {
    throw failure(invocation, error, { command: 'run', status: startStatus(error) });
  }
  await context.stdout.write(`${id}\n`);
  return 0;
}

async function runAttached(
  invocation: Invocation,
  { id, body }: { id: string; body: CreateBody },
): Promise<number> {
  const { context, flags, client } = invocation;
  const detachKeys = detachKeysOf(flags, context);
  const attached = body.AttachStdin || body.AttachStdout || body.AttachStderr;
  const condition = body.HostConfig.AutoRemove ? 'removed' : 'next-exit';
  const stopForwarding =
    flags.bool('sig-proxy') && !body.Tty ? forwardSignals(context, client, id) : undefined;
  const aborted = new AbortController();
  let stopResizing: (() => void) | undefined;
  try {
    // Neither may come late: attach and wait are both with the daemon before the start is sent.
    const [connection, wait] = await Promise.all([
      attached
        ? client.containers.attach(id, {
            stream: true,
            stdin: body.AttachStdin,
            stdout: body.AttachStdout,
            stderr: body.AttachStderr,
            detachKeys,
          })
        : undefined,
      registerWait(invocation, id, { condition, signal: aborted.signal }),
    ]);
    const session =
      connection === undefined
        ? undefined
        : new StreamSession(context, connection, {
            tty: body.Tty,
            stdin: body.AttachStdin,
            stdout: body.AttachStdout,
            stderr: body.AttachStderr,
          });
    const streams = session?.run();
    streams?.catch(() => undefined);
    try {
      await client.containers.start(id);
    } catch (error) {
      await session?.setRaw(false);
      connection?.close();
      // With --rm the daemon removes what did not start; wait for it, so that nothing is left when we end.
      if (body.HostConfig.AutoRemove) await withLimit(wait.result);
      throw failure(invocation, error, { command: 'run', status: startStatus(error) });
    }
    if (body.Tty && context.stdout.isTerminal)
      stopResizing = followTerminalSize(context, (size) => client.containers.resize(id, size));
    if (streams !== undefined) await streams;
    return await exitStatus(invocation, { id, wait: wait.result, tty: body.Tty && body.AttachStdin });
  } finally {
    aborted.abort();
    stopResizing?.();
    stopForwarding?.();
  }
}

async function registerWait(
  { client }: Invocation,
  id: string,
  options: { condition: 'removed' | 'next-exit'; signal: AbortSignal },
) {
  const wait = client.containers.wait(id, options);
  await wait.registered;
  return wait;
}

const CLEANUP_LIMIT_MS = 10_000;

async function withLimit(work: Promise<unknown>): Promise<void> {
  let timer: Timer | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, CLEANUP_LIMIT_MS);
  });
  await Promise.race([work.catch(() => undefined), limit]);
  clearTimeout(timer);
}

const DETACH_GRACE_MS = 300;

/** The container's exit status; 0 when its terminal was left with the detach keys and it runs on. */
async function exitStatus(
  { client, context }: Invocation,
  { id, wait, tty }: { id: string; wait: Promise<WaitResult>; tty: boolean },
): Promise<number> {
  if (tty) {
    let timer: Timer | undefined;
    const grace = new Promise<'grace'>((resolve) => {
      timer = setTimeout(() => resolve('grace'), DETACH_GRACE_MS);
    });
    const first = await Promise.race([wait, grace]);
    clearTimeout(timer);
    if (first === 'grace') {
      const state = await client.containers.inspect(id).then(
        (container) => container.State,
        () => undefined,
      );
      if (state?.Running === true) return 0;
    }
  }
  const result = await wait;
  const message = result.Error?.Message;
  if (message !== undefined && message !== '') {
    await context.stderr.write(`Error waiting for container: ${message}\n`);
    return DAEMON_FAILED;
  }
  return result.StatusCode;
}

/** 126 and 127 as a shell has them, from what the runtime said. */
function startStatus(error: unknown): number {
  const message = messageOf(error);
  if (
    /executable file not found|no such file or directory|system cannot find the file specified/.test(message)
  )
    return NOT_FOUND;
  if (/permission denied|is a directory/.test(message)) return NOT_EXECUTABLE;
  return DAEMON_FAILED;
}
