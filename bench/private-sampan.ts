import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { CleanUp } from './clean-up.ts';
import { Endpoint } from './endpoint.ts';
import { runCommand } from './run-command.ts';
import { stopChild, waitUntil } from './wait.ts';

/** A daemon of the bench's own: own roots, socket and bridge, all gone after `remove()`. */
export class PrivateSampan {
  readonly endpoint: Endpoint;
  readonly #folder: string;
  readonly #command: string[];
  #child: ChildProcess | undefined;

  private constructor(folder: string, command: string[], socket: string) {
    this.#folder = folder;
    this.#command = command;
    this.endpoint = new Endpoint('Sampan', `unix://${socket}`);
  }

  /** @throws Error with the end of its log when it doesn't come up. */
  static async start(options: {
    root: string;
    folder: string;
    bip: string;
    cleanUp: CleanUp;
  }): Promise<PrivateSampan> {
    const { folder } = options;
    mkdirSync(folder, { recursive: true });
    const [socket, config] = [join(folder, 'sampan.sock'), join(folder, 'daemon.json')];
    writeFileSync(config, '{}');
    const command = [
      join(options.root, 'bin/sampand'),
      `--host=unix://${socket}`,
      `--bip=${options.bip}`,
      `--data-root=${join(folder, 'data')}`,
      `--exec-root=${join(folder, 'run')}`,
      `--pidfile=${join(folder, 'pid')}`,
      `--config-file=${config}`,
    ];
    const daemon = new PrivateSampan(folder, command, socket);
    options.cleanUp.add('the private daemon', () => daemon.remove());
    await daemon.startAgain();
    return daemon;
  }

  get pid(): number {
    return Number(readFileSync(join(this.#folder, 'pid'), 'utf8'));
  }

  get execRoot(): string {
    return join(this.#folder, 'run');
  }

  /** Parent of its containers' cgroups, as the daemon names it. */
  get cgroup(): string {
    return `/sampan-${createHash('sha256').update(join(this.#folder, 'data')).digest('hex').slice(0, 8)}`;
  }

  /** Disk space that its data root takes now. */
  diskBytes(): number {
    const paths = readdirSync(join(this.#folder, 'data'), { recursive: true, encoding: 'utf8' });
    return paths.reduce((sum, path) => sum + blocksOf(join(this.#folder, 'data', path)) * 512, 0);
  }

  /** Start it and wait for the first answered ping. */
  async startAgain(): Promise<void> {
    const [program = '', ...args] = this.#command;
    const log = openSync(join(this.#folder, 'log'), 'a');
    const child = spawn(program, args, { stdio: ['ignore', log, log] });
    closeSync(log);
    this.#child = child;
    const ended = () => child.exitCode !== null || child.signalCode !== null;
    await waitUntil('sampand', async () => ended() || (await this.endpoint.ping()), { everyMs: 2 });
    if (!ended()) return;
    const said = readFileSync(join(this.#folder, 'log'), 'utf8').trim().split('\n').slice(-5);
    throw new Error(`Cannot start sampand:\n${said.join('\n')}`);
  }

  async stop(): Promise<void> {
    if (this.#child !== undefined) await stopChild(this.#child);
    this.#child = undefined;
  }

  /** Stop it and take away what a stopped daemon leaves on purpose: the pinned mount namespace and its cgroup. */
  async remove(): Promise<void> {
    await this.stop();
    for (const target of mountsBelow(this.#folder)) runCommand(['umount', '-l', target]);
    removeCgroup('/sys/fs/cgroup', this.cgroup);
    for (const hierarchy of folders('/sys/fs/cgroup'))
      removeCgroup(join('/sys/fs/cgroup', hierarchy), this.cgroup);
  }
}

function blocksOf(path: string): number {
  return lstatSync(path, { throwIfNoEntry: false })?.blocks ?? 0;
}

/** Deepest and latest first. */
function mountsBelow(folder: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((target) => target.startsWith(`${folder}/`))
    .toReversed();
}

function removeCgroup(hierarchy: string, cgroup: string): void {
  const path = join(hierarchy, cgroup);
  for (const child of folders(path)) removeCgroup(path, child);
  try {
    rmdirSync(path);
  } catch {
    // Not in this hierarchy.
  }
}

function folders(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}
