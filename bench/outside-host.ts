import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';

const [HOST, OUTSIDE] = ['10.213.77.1', '10.213.77.2'];
const [HOST_LINK, OUTSIDE_LINK] = ['spbench0', 'spbench1'];

/** A host beside this one, on a link of its own: a network namespace. */
export class OutsideHost {
  readonly #pid: number;

  private constructor(pid: number) {
    this.#pid = pid;
  }

  /** @throws Error when the link can't be made. */
  static open(undoLater: (what: string, undo: () => Promise<void>) => void): OutsideHost {
    const holder: ChildProcess = spawn('unshare', ['-n', 'sleep', '100000'], { stdio: 'ignore' });
    undoLater('the host outside', async () => void holder.kill('SIGKILL'));
    const pid = holder.pid ?? 0;
    // Until `unshare` has become `sleep` it is in our namespace.
    for (let tries = 0; tries < 100 && sameNamespace(pid); tries++) Bun.sleepSync(10);
    const inside = ['nsenter', '-t', String(pid), '-n'];
    run(['ip', 'link', 'add', HOST_LINK, 'type', 'veth', 'peer', 'name', OUTSIDE_LINK, 'netns', String(pid)]);
    run(['ip', 'addr', 'add', `${HOST}/30`, 'dev', HOST_LINK]);
    run(['ip', 'link', 'set', HOST_LINK, 'up']);
    run([...inside, 'ip', 'addr', 'add', `${OUTSIDE}/30`, 'dev', OUTSIDE_LINK]);
    run([...inside, 'ip', 'link', 'set', OUTSIDE_LINK, 'up']);
    run([...inside, 'ip', 'route', 'add', 'default', 'via', HOST]);
    return new OutsideHost(pid);
  }

  /** Milliseconds for all bytes of one connection, or for `count` connections of four clients, each with a request. */
  time(mode: 'bytes' | 'connections', port: number, count: number): number {
    const client = join(import.meta.dirname, 'port-client.ts');
    const args = [
      '-t',
      String(this.#pid),
      '-n',
      process.execPath,
      client,
      mode,
      HOST,
      String(port),
      String(count),
    ];
    return Number(run(['nsenter', ...args]));
  }
}

function sameNamespace(pid: number): boolean {
  const of = (process: string) => run(['readlink', `/proc/${process}/ns/net`]);
  return of(String(pid)) === of('self');
}

function run([program = '', ...args]: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', timeout: 120_000 });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr.trim()}`);
  return stdout.trim();
}
