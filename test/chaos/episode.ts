import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loseHost } from '../support/engine/host-reboot.ts';
import { TestDaemon } from '../support/engine/test-daemon.ts';
import { file, makeTar } from '../support/images/tar-maker.ts';
import { ApiCaller } from './api-call.ts';
import { awaitEnds, type CheckContext, checkContainers } from './check-containers.ts';
import { checkImages } from './check-images.ts';
import { checkKept } from './check-use.ts';
import { HangingRuntime } from './hanging-runtime.ts';
import { leftSince, residentBytes, surveyHost } from './host-survey.ts';
import { Model } from './model.ts';
import { type Episode, IMAGES, type Round } from './plan.ts';
import { applyFault } from './process-faults.ts';
import { ENDLESS } from './program.ts';
import { RudeClients } from './rude-client.ts';
import type { Contents } from './sample-images.ts';
import type { Tally } from './tally.ts';
import { runWorker } from './worker.ts';

const SMALL_DISK = '64m';
/** What the ballast leaves free of it. */
const FREE_BYTES = 300_000;

/** Whatever clients and containers do. */
const MOST_RESIDENT_BYTES = 400 << 20;

export interface EpisodeOptions {
  mirror: string;
  contents: Contents;
  tally: Tally;
  /** Asked before each round; false ends the episode early. */
  goesOn: () => boolean;
  say: (line: string) => void;
  /** A folder that gets the daemon's log when something is broken. */
  logs: string | undefined;
}

/** One daemon in its setting: rounds of work and kills, and at the end nothing may be left. */
export async function runEpisode(episode: Episode, options: EpisodeOptions): Promise<void> {
  const { tally } = options;
  tally.episodes[episode.setting] = (tally.episodes[episode.setting] ?? 0) + 1;
  const running = new RunningEpisode(episode, options);
  try {
    await running.begin();
    for (const round of episode.rounds) {
      if (!options.goesOn()) break;
      await running.round(round);
    }
    await running.end();
  } catch (error) {
    tally.violations.push(`${episode.setting}: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    await running.close();
    running.tell('closed');
  }
}

class RunningEpisode {
  readonly #options: EpisodeOptions;
  readonly #daemon: TestDaemon;
  readonly #folder: string;
  readonly #runtime: HangingRuntime | undefined;
  readonly #context: CheckContext;
  readonly #workers: Episode['workers'];
  readonly #rude: RudeClients;
  readonly #brokenBefore: number;
  #told: number;
  #idle: ReadonlySet<string> = new Set();
  #nothing: ReadonlySet<string> = new Set();

  constructor({ setting, workers }: Episode, options: EpisodeOptions) {
    this.#workers = workers;
    this.#options = options;
    this.#brokenBefore = options.tally.violations.length;
    this.#told = this.#brokenBefore;
    this.#folder = mkdtempSync(join(tmpdir(), 'chaos-'));
    const dataRoot = join(this.#folder, 'data');
    mkdirSync(dataRoot);
    if (setting === 'full-disk')
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SMALL_DISK}`, 'tmpfs', dataRoot]);
    const crun = Bun.which('crun') ?? Bun.which('runc') ?? 'crun';
    this.#runtime = setting === 'hanging-runtime' ? new HangingRuntime(this.#folder, crun) : undefined;
    this.#daemon = new TestDaemon({
      mirrors: [options.mirror],
      dataRoot,
      ...(this.#runtime === undefined ? {} : { args: ['--default-runtime', this.#runtime.path] }),
    });
    const api = new ApiCaller(this.#daemon.socket);
    this.#context = { api, model: new Model(), tally: options.tally, setting };
    this.#rude = new RudeClients(this.#daemon.socket);
  }

  async begin(): Promise<void> {
    this.#nothing = await surveyHost(this.#daemon);
    await this.#daemon.start();
    await this.#daemon.pull('busybox');
    await this.#useAll();
    await Bun.sleep(1000);
    this.#idle = await surveyHost(this.#daemon);
  }

  /** What is used for the first time has the daemon open, and make, what it keeps. */
  async #useAll(): Promise<void> {
    const health = ['--health-cmd', 'true', '--health-interval', '100ms'];
    await this.#daemon.out([
      'run',
      '-d',
      '--name',
      'first',
      '-v',
      '/first',
      ...health,
      'busybox',
      'sleep',
      '600',
    ]);
    await this.#daemon.out(['exec', 'first', 'true']);
    await Bun.sleep(500);
    await this.#daemon.out(['rm', '-fv', 'first']);
    const archive = makeTar([file('Dockerfile', 'FROM busybox\nRUN true\n')]);
    await this.#context.api.call('POST', '/build?t=first', archive);
    await this.#context.api.call('DELETE', '/images/first');
    await this.#context.api.call('POST', '/build/prune?all=1');
  }

  async round(round: Round): Promise<void> {
    const { api, model, tally, setting } = this.#context;
    tally.rounds++;
    if (setting === 'full-disk') this.#fillDisk();
    const work = this.#workers.map(async (steps) => {
      await runWorker(steps, { ...this.#context, rude: this.#rude });
    });
    await this.#hangAndWait(round);
    if (setting === 'host-reboot') await this.#loseHost();
    else await this.#kill();
    await Promise.all(work);
    for (const container of model.containers.values())
      if (setting === 'host-reboot') container.loseHost();
      else container.loseDaemon();
    this.#rude.leave();
    this.#faultsMeanwhile(round);
    await Bun.sleep(round.downMs);
    this.#runtime?.goOn();
    rmSync(this.#ballast, { force: true });
    const before = performance.now();
    await this.#daemon.start();
    const restartMs = performance.now() - before;
    tally.restartsMs.push(restartMs);
    api.daemonKilled = false;
    await this.#check();
    this.#checkMemory();
    this.tell(`${model.containers.size} containers, back in ${Math.round(restartMs)} ms`);
  }

  /** Say what was done, and what has broken since the last time. */
  tell(done: string): void {
    const { tally, setting } = this.#context;
    const broken = tally.violations.slice(this.#told);
    this.#told = tally.violations.length;
    for (const line of [`round ${tally.rounds} (${setting}): ${done}`, ...broken]) this.#options.say(line);
  }

  /** Remove everything, and look at what is left: with the daemon idle, and after its end. */
  async end(): Promise<void> {
    const { api, tally, model, setting } = this.#context;
    await awaitEnds(this.#context);
    await this.#check();
    for (const name of model.containers.keys()) {
      const outcome = await api.call('DELETE', `/containers/${name}?force=1&v=1`);
      if (outcome.lost || outcome.status !== 204)
        tally.violations.push(`rm ${name}: ${JSON.stringify(outcome)}`);
    }
    await this.#removeKept();
    await this.#removeImages();
    for (const left of await leftSince(this.#idle, this.#daemon))
      tally.violations.push(`${setting} leaves ${left}`);
    await api.call('DELETE', '/images/busybox?force=1');
    await this.#daemon.stop();
    // The roots keep their files, and the pinned namespace the mounts that are the daemon's own.
    const { dataRoot, execRoot } = this.#daemon;
    const ownMounts = [dataRoot, execRoot, join(execRoot, 'mount-namespace/pin')].map(
      (path) => `mount ${path}`,
    );
    const isLeak = (item: string) =>
      !ownMounts.includes(item) && ![dataRoot, execRoot].some((root) => item.startsWith(`file ${root}`));
    for (const left of await leftSince(this.#nothing, this.#daemon, isLeak))
      tally.violations.push(`${setting} leaves ${left} after the daemon's end`);
  }

  /** Volumes, built images and what builds keep for the next; an anonymous volume has gone with its container. */
  async #removeKept(): Promise<void> {
    const { api, tally, model } = this.#context;
    const there = [...model.volumes].filter(([, { possible }]) => possible.has('present'));
    const built = [...model.builds].filter(([, possible]) => possible.has('present'));
    const calls = [
      ...there.map(([name]) => ['DELETE', `/volumes/${name}`] as const),
      ...built.map(([name]) => ['DELETE', `/images/${name}`] as const),
      // A build of the same name leaves the image before without one.
      ['POST', '/images/prune'] as const,
      ['POST', '/build/prune?all=1'] as const,
    ];
    for (const [method, path] of calls) {
      const outcome = await api.call(method, path);
      if (outcome.lost || outcome.status >= 400)
        tally.violations.push(`${method} ${path}: ${JSON.stringify(outcome)}`);
    }
    const { Volumes } = await api.json<{ Volumes: { Name: string }[] | null }>('/volumes');
    for (const { Name } of Volumes ?? []) tally.violations.push(`volume ${Name} is left without a container`);
  }

  /** What interrupted pulls have left waits, on a lease, for another: which brings it to its end. */
  async #removeImages(): Promise<void> {
    const { api, tally } = this.#context;
    const calls = [
      ...IMAGES.map((image) => ['POST', `/images/create?fromImage=${image}&tag=latest`] as const),
      ...IMAGES.map((image) => ['DELETE', `/images/${image}`] as const),
    ];
    for (const [method, path] of calls) {
      const outcome = await api.call(method, path);
      const failed = outcome.lost || outcome.status !== 200 || outcome.body.includes('errorDetail');
      if (failed) tally.violations.push(`${method} ${path}: ${JSON.stringify(outcome)}`);
    }
  }

  async close(): Promise<void> {
    const { logs, tally } = this.#options;
    if (logs !== undefined && tally.violations.length > this.#brokenBefore)
      copyFileSync(this.#daemon.logFile, join(logs, `daemon-${tally.rounds}.log`));
    this.#rude.leave();
    this.#runtime?.goOn();
    rmSync(this.#ballast, { force: true });
    await this.#daemon.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #hangAndWait({ hanging, killAfterMs }: Round): Promise<void> {
    if (hanging === undefined) return await Bun.sleep(killAfterMs);
    await Bun.sleep(hanging.afterMs);
    this.#runtime?.hangIn(hanging.verb);
    await Bun.sleep(killAfterMs - hanging.afterMs);
  }

  get #ballast(): string {
    return join(this.#daemon.dataRoot, 'ballast');
  }

  async #kill(): Promise<void> {
    const { api, tally } = this.#context;
    api.daemonKilled = true;
    tally.kills++;
    await this.#daemon.stop('SIGKILL');
  }

  async #loseHost(): Promise<void> {
    const { api, tally } = this.#context;
    api.daemonKilled = true;
    tally.kills++;
    await loseHost(this.#daemon);
  }

  async #check(): Promise<void> {
    await checkContainers(this.#context);
    await checkKept(this.#context);
    await checkImages(this.#options.contents, this.#context);
  }

  #checkMemory(): void {
    const { tally, setting } = this.#context;
    const bytes = residentBytes(this.#daemon.pid);
    tally.mostResidentBytes = Math.max(tally.mostResidentBytes, bytes);
    if (bytes > MOST_RESIDENT_BYTES)
      tally.violations.push(`${setting}: the daemon holds ${Math.round(bytes / 2 ** 20)} MB of memory`);
  }

  #faultsMeanwhile({ faultsMeanwhile }: Round): void {
    const { model, tally } = this.#context;
    const endless = [...model.containers.values()].filter(
      ({ pid, id, program }) => pid !== undefined && id !== undefined && ENDLESS.includes(program.name),
    );
    for (const { fault, victim } of faultsMeanwhile) {
      const container = endless[Math.floor(victim * endless.length)];
      if (container?.id === undefined) continue;
      if (fault === 'monitor-killed') container.killMonitor();
      else container.frozen = true;
      if (applyFault(fault, { id: container.id, pid: container.pid })) tally.processFaults++;
    }
  }

  #fillDisk(): void {
    const { bfree, bsize } = statfsSync(this.#daemon.dataRoot);
    writeFileSync(this.#ballast, new Uint8Array(Math.max(0, bfree * bsize - FREE_BYTES)));
  }
}
