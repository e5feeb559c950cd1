import { readSync } from 'node:fs';
import { EngineError } from '../errors/engine-error.ts';
import { closeFd, openPipe } from './pipe.ts';
import { spawnDetached } from './spawn.ts';

const READY = 'ready\n';
/** Says that it is there, and ends when nobody holds the other end of its input. */
const WAITER = ['/bin/sh', '-c', `echo ${READY.trim()}; read _`];

/**
 * Have `enter` (unshare(1), nsenter(1) and their arguments) put a process into namespaces that no thread of ours may make or enter, and look at
 * it by its pid while it waits there. It is gone afterwards; what `look` has opened stays. Blocks for some milliseconds.
 *
 * @throws EngineError "internal" with the program's words.
 */
export function visitChild<T>(enter: readonly string[], look: (pid: number) => T): T {
  const input = openPipe();
  const output = openPipe();
  let held: number | undefined = output.second;
  try {
    const child = spawnDetached([...enter, ...WAITER], {
      stdio: [input.first, output.second, output.second],
      cwd: '/',
    });
    closeFd(output.second);
    held = undefined;
    awaitReady(output.first, enter);
    return look(child.pid);
  } finally {
    if (held !== undefined) closeFd(held);
    for (const fd of [input.first, input.second, output.first]) closeFd(fd);
  }
}

/** Its end, too, ends the wait: then nobody writes any more. */
function awaitReady(fd: number, enter: readonly string[]): void {
  const buffer = Buffer.alloc(4096);
  let said = '';
  while (!said.endsWith(READY)) {
    const length = readSync(fd, buffer);
    if (length === 0)
      throw new EngineError(
        'internal',
        `Cannot make namespaces: ${said.trim() || `${enter[0]} ended early`}`,
      );
    said += buffer.toString('utf8', 0, length);
  }
}

/** What other processes may open it by, as long as this one lives. */
export function descriptorPath(fd: number): string {
  return `/proc/${process.pid}/fd/${fd}`;
}
