import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { inOwnNamespaces } from '../../../src/sys/testing/own-namespaces.ts';
import {
  type CommandOptions,
  type CommandResult,
  eventually,
  must,
  type RunningCommand,
  run,
  start,
} from './command.ts';
import { cgroupProcesses, cgroupTree, daemonCgroups, mountsBelow, removeCgroup } from './host-traces.ts';
import { stockDocker } from './stock-docker.ts';

const bin = (name: string) => resolve(import.meta.dir, '../../../bin', name);

export interface TestDaemonOptions {
  driver?: 'erofs' | 'overlay';
  runtime?: 'crun' | 'runc';
  mirrors?: readonly string[];
  /** More keys of daemon.json. */
  config?: Record<string, unknown>;
  args?: readonly string[];
  /** Beside PATH. */
  env?: Record<string, string>;
  /** Where data shall lie; a folder below the root unless given. */
  dataRoot?: string;
  /** An address for the bridge: daemons side by side need different ones. */
  bip?: string;
}

export type ClientName = 'docker' | 'sampan';

/** A daemon of its own roots, in the namespaces that scripts/test.mjs gave to the file. Close it in `afterAll`, also when its start failed. */
export class TestDaemon {
  readonly root: string;
  readonly socket: string;
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly configFile: string;
  readonly logFile: string;
  readonly #options: TestDaemonOptions;
  #child: Bun.Subprocess | undefined;

  constructor(options: TestDaemonOptions = {}) {
    // What follows makes interfaces and rules: never in the namespaces of the machine.
    if (!inOwnNamespaces())
      throw new Error('Run this file by scripts/test.mjs: it needs namespaces of its own');
    this.#options = options;
    this.root = mkdtempSync(join(realpathSync(tmpdir()), 'engine-'));
    this.socket = join(this.root, 's.sock');
    this.dataRoot = options.dataRoot ?? join(this.root, 'data');
    this.execRoot = join(this.root, 'run');
    this.configFile = join(this.root, 'daemon.json');
    this.logFile = join(this.root, 'log');
    mkdirSync(join(this.root, 'client'));
    this.configure({});
  }

  /** Write daemon.json: the fixture's mirrors and keys, and these. */
  configure(change: Record<string, unknown>): void {
    const mirrors = this.#options.mirrors;
    const config = {
      ...(mirrors === undefined ? {} : { 'registry-mirrors': mirrors }),
      ...this.#options.config,
      ...change,
    };
    writeFileSync(this.configFile, JSON.stringify(config));
  }

  get pid(): number {
    if (this.#child === undefined) throw new Error('The daemon is not running');
    return this.#child.pid;
  }

  /** Undefined while it does not run. */
  get runningPid(): number | undefined {
    return this.#child?.pid;
  }

  get log(): string {
    return readFileSync(this.logFile, 'utf8');
  }

  get arguments(): string[] {
    const { driver, runtime, bip, args = [] } = this.#options;
    return [
      '-H',
      `unix://${this.socket}`,
      '--data-root',
      this.dataRoot,
      '--exec-root',
      this.execRoot,
      '-p',
      join(this.root, 'pid'),
      '--config-file',
      this.configFile,
      ...(driver === undefined ? [] : ['--storage-driver', driver]),
      ...(runtime === undefined ? [] : ['--default-runtime', runtime]),
      ...(bip === undefined ? [] : ['--bip', bip]),
      ...args,
    ];
  }

  /** Start and wait until it answers. Rejects with the log's end. */
  async start(): Promise<this> {
    await must(['ip', 'link', 'set', 'lo', 'up']);
    const log = openSync(this.logFile, 'a');
    const child = Bun.spawn([bin('sampand'), ...this.arguments], {
      cwd: '/',
      stdin: 'ignore',
      stdout: log,
      stderr: log,
      env: {
        PATH: process.env['PATH'] ?? '',
        SAMPAN_TEST_RUN: process.env['SAMPAN_TEST_RUN'] ?? '',
        ...this.#options.env,
      },
    });
    closeSync(log);
    this.#child = child;
    const answers = async () => {
      if (child.exitCode !== null)
        throw new Error(`The daemon ended with ${child.exitCode}:\n${this.log.slice(-3000)}`);
      return await this.api('GET', '/_ping').then(
        ({ body }) => body === 'OK',
        () => false,
      );
    };
    await eventually(answers, {
      timeoutMs: 30_000,
      what: () => `the daemon to answer:\n${this.log.slice(-3000)}`,
    });
    return this;
  }

  /** End it with a signal; resolves with its exit code, containers run on. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#child;
    if (child === undefined) return null;
    child.kill(signal);
    const ended = await Promise.race([child.exited, Bun.sleep(20_000).then(() => undefined)]);
    if (ended === undefined) {
      child.kill('SIGKILL');
      await child.exited;
    }
    this.#child = undefined;
    if (ended === undefined)
      throw new Error(`The daemon did not end on ${signal}:\n${this.log.slice(-3000)}`);
    return child.exitCode;
  }

  async restart(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.stop(signal);
    await this.start();
  }

  /** Have it read daemon.json again. */
  async reload(): Promise<void> {
    const before = this.log.split('eload').length;
    process.kill(this.pid, 'SIGHUP');
    await eventually(() => this.log.split('eload').length > before, { what: () => 'the daemon to reload' });
  }

  get env(): Record<string, string> {
    const client = join(this.root, 'client');
    return { DOCKER_HOST: `unix://${this.socket}`, HOME: client, DOCKER_CONFIG: client, TERM: 'xterm' };
  }

  /** A client's command line. */
  command(args: readonly string[], client: ClientName = 'docker'): string[] {
    return [client === 'docker' ? stockDocker() : bin('sampan'), ...args];
  }

  /** Run the stock docker client, or ours, to its end. */
  async run(
    args: readonly string[],
    options: CommandOptions & { client?: ClientName } = {},
  ): Promise<CommandResult> {
    return await run(this.command(args, options.client), {
      ...options,
      env: { ...this.env, ...options.env },
    });
  }

  /** Standard output, trimmed at its end, of a client's command that must succeed. */
  async out(
    args: readonly string[],
    options: CommandOptions & { client?: ClientName } = {},
  ): Promise<string> {
    return (
      await must(this.command(args, options.client), { ...options, env: { ...this.env, ...options.env } })
    ).trimEnd();
  }

  startCommand(args: readonly string[], client: ClientName = 'docker'): RunningCommand {
    return start(this.command(args, client), { env: this.env });
  }

  /** A request as it stands. */
  async api(method: string, path: string, body?: unknown): Promise<{ status: number; body: string }> {
    const init: RequestInit & { unix: string } = { method, unix: this.socket };
    if (body !== undefined) {
      init.headers = { 'content-type': 'application/json' };
      init.body = typeof body === 'string' ? body : JSON.stringify(body);
    }
    const response = await fetch(`http://d${path}`, init);
    return { status: response.status, body: await response.text() };
  }

  async inspect(container: string): Promise<Record<string, unknown>> {
    const { status, body } = await this.api('GET', `/containers/${container}/json`);
    if (status !== 200) throw new Error(body);
    return JSON.parse(body) as Record<string, unknown>;
  }

  async pull(...images: string[]): Promise<void> {
    for (const image of images) await this.out(['pull', '-q', image]);
  }

  async removeContainers(): Promise<void> {
    const ids = (await this.out(['ps', '-aq'])).split('\n').filter(Boolean);
    if (ids.length > 0) await this.out(['rm', '-f', ...ids]);
  }

  /** What containers and pulls leave behind when they go: nothing. Mounts below the roots, cgroups, namespaces, task folders, half files. */
  traces(): { mounts: string[]; cgroups: string[]; files: string[] } {
    const own = new Set([this.execRoot, this.dataRoot, join(this.execRoot, 'mount-namespace/pin')]);
    const list = (path: string) => {
      try {
        return readdirSync(path).map((name) => join(path, name));
      } catch {
        return [];
      }
    };
    return {
      mounts: mountsBelow(this.root, this.pid).filter((point) => !own.has(point)),
      cgroups: daemonCgroups(this.dataRoot).flatMap((path) =>
        cgroupTree(path).filter((folder) => folder !== path && cgroupProcesses(folder).length > 0),
      ),
      files: [
        ...['netns', 'tasks', 'rootfs'].flatMap((name) => list(join(this.execRoot, name))),
        ...list(join(this.dataRoot, 'content/ingest')),
        ...list(join(this.dataRoot, 'containers')),
      ],
    };
  }

  /** End everything that it started, and remove every trace, whatever has happened before. */
  async close(): Promise<void> {
    try {
      if (this.#child !== undefined && this.#child.exitCode === null) await this.removeContainers();
    } catch {
      // Below, by force.
    }
    await this.stop().catch(() => undefined);
    for (const path of daemonCgroups(this.dataRoot)) await removeCgroup(path);
    for (const root of [this.execRoot, this.dataRoot, this.root])
      for (const point of mountsBelow(resolve(root, '..'))
        .filter((at) => at.startsWith(root))
        .reverse())
        await run(['umount', '-l', point]);
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** A daemon that runs. */
export async function startDaemon(options: TestDaemonOptions = {}): Promise<TestDaemon> {
  const daemon = new TestDaemon(options);
  try {
    return await daemon.start();
  } catch (error) {
    await daemon.close();
    throw error;
  }
}
