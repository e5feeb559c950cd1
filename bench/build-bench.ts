import { randomInt } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { BenchRow } from './bench-row.ts';
import { changeFile, largeFiles, manyFiles } from './build-context.ts';
import type { Endpoint } from './endpoint.ts';
import { type Contestant, inTurn } from './in-turn.ts';
import { peakMemory } from './peak-memory.ts';
import { runCommand } from './run-command.ts';
import type { Setting } from './setting.ts';

const DEFAULT_RUNS = 5;
const FILES = 20_000;
const SHORT_STEPS = 40;
const STAGES = 4;
const LARGE_MB = 500;
const MEMORY_MB = 1000;
const PEAK_LIMIT_MB = 200;
/** Counts to this take a busybox shell about a second. */
const COUNT = 300_000;

interface Case {
  what: string;
  goal: number | undefined;
  dockerfile: string;
  args?: string[];
  /** Rounds, where one takes long. */
  runs?: number;
  /** Once, for all. */
  prepare?: (folder: string) => void;
  /** Before each build. `round` is another each time. */
  change?: (folder: string, round: number) => void;
  /** A folder of the context whose bytes the layer's digest is taken of, which nothing can do in less time. */
  hashed?: string;
}

/** Builds: ours with its own client beside Docker with buildx, or both with buildx. */
export async function buildBench(setting: Setting, clients: 'own' | 'stock'): Promise<BenchRow[]> {
  const base = await setting.busybox();
  const builds = new Builds(setting, clients);
  setting.undoLater('the built images', () => builds.forget());
  const rows: BenchRow[] = [];
  for (const one of cases(base)) {
    rows.push(...(await builds.time(one)));
  }
  rows.push(await builds.memory(base));
  return rows;
}

function cases(base: string): Case[] {
  const copy = `FROM ${base}\nCOPY . /src\n`;
  const source = 'src/part-7/file-1407.js';
  const stages = Array.from(
    { length: STAGES },
    (_, at) =>
      `FROM ${base} AS s${at}\nRUN i=0; while [ $i -lt ${COUNT} ]; do i=$((i+1)); done; echo > /made-${at}\n`,
  );
  const gather = Array.from({ length: STAGES }, (_, at) => `COPY --from=s${at} /made-${at} /\n`);
  return [
    {
      what: `build, ${FILES} files, nothing changed`,
      goal: 1 / 4,
      dockerfile: copy,
      prepare: (folder) => manyFiles(folder, FILES, 'same'),
    },
    {
      what: `build, ${FILES} files, one of which changed`,
      goal: 1 / 3,
      dockerfile: copy,
      prepare: (folder) => manyFiles(folder, FILES, 'one'),
      change: (folder, round) => changeFile(join(folder, source), `change ${round}`),
    },
    {
      what: `build, COPY of ${FILES} files that were never seen`,
      goal: 1 / 6,
      dockerfile: copy,
      runs: 3,
      change: (folder, round) => manyFiles(folder, FILES, `round ${round}`),
    },
    {
      what: `build of ${SHORT_STEPS} short RUNs, --no-cache`,
      goal: 1 / 5,
      runs: 3,
      args: ['--no-cache'],
      dockerfile: `FROM ${base}\n${Array.from({ length: SHORT_STEPS }, (_, at) => `RUN echo ${at} > /step-${at}\n`).join('')}`,
    },
    {
      what: `build, context of ${LARGE_MB} MB, one small file of which changed`,
      goal: undefined,
      runs: 3,
      hashed: 'src',
      dockerfile: `FROM ${base}\nCOPY src /src\n`,
      prepare: (folder) => largeFiles(folder, LARGE_MB),
      change: (folder, round) => changeFile(join(folder, 'src/small.js'), `change ${round}`),
    },
    {
      what: `build of ${STAGES} independent stages that compute, --no-cache`,
      goal: 1,
      args: ['--no-cache'],
      dockerfile: `${stages.join('')}FROM ${base}\n${gather.join('')}`,
    },
  ];
}

class Builds {
  readonly #setting: Setting;
  readonly #clients: 'own' | 'stock';
  readonly #config: string;
  /** Nothing that another bench has built comes again: its layers are in the cache. */
  #round = randomInt(2 ** 40);

  constructor(setting: Setting, clients: 'own' | 'stock') {
    this.#setting = setting;
    this.#clients = clients;
    if (setting.dockerCli === undefined && (clients === 'stock' || setting.peer !== undefined))
      throw new Error('Cannot build: the stock docker client is missing');
    this.#config = join(setting.folder, 'build-client');
    installBuildx(setting.root, this.#config);
  }

  async time(one: Case): Promise<BenchRow[]> {
    const { endpoints, options } = this.#setting;
    const contestants = endpoints.map((endpoint, at) => {
      const folder = join(this.#setting.folder, `context-${at}`);
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder);
      one.prepare?.(folder);
      return {
        before: () => {
          one.change?.(folder, ++this.#round);
          writeFileSync(join(folder, 'Dockerfile'), one.dockerfile);
          runCommand(['sync']);
        },
        work: () => this.#build(endpoint, folder, one.args),
      };
    });
    const runs = options.runs ?? one.runs ?? DEFAULT_RUNS;
    const [sampan = [], other] = await inTurn(contestants, runs);
    const [least] =
      one.hashed === undefined ? [] : await inTurn([this.#hash(join('context-0', one.hashed))], runs);
    for (const at of endpoints.keys())
      rmSync(join(this.#setting.folder, `context-${at}`), { recursive: true, force: true });
    const what = `${one.what}, ${this.#clients === 'own' ? 'each with its own client' : 'buildx on both'}`;
    const row: BenchRow = { what, unit: 'ms', sampan, other, otherName: 'Docker', goal: one.goal };
    if (least === undefined) return [row];
    const limit = { other: least, otherName: 'sha256 of the same bytes', goal: undefined };
    return [row, { ...row, ...limit, what: `${what}, beside its limit` }];
  }

  #hash(folder: string): Contestant {
    const path = join(this.#setting.folder, folder);
    return {
      work: () => {
        const hash = new Bun.CryptoHasher('sha256');
        for (const name of readdirSync(path)) hash.update(readFileSync(join(path, name)));
        hash.digest();
      },
    };
  }

  /** The daemon's highest memory while a large context comes and is copied. */
  async memory(base: string): Promise<BenchRow> {
    const folder = join(this.#setting.folder, 'context-large');
    largeFiles(folder, MEMORY_MB);
    writeFileSync(join(folder, 'Dockerfile'), `FROM ${base}\nCOPY . /src\n`);
    const { sampan } = this.#setting;
    try {
      const peakBytes = await peakMemory(this.#setting.sampanPid(), () =>
        this.#build(sampan, folder, [], { apart: true }),
      );
      return {
        what: `peak memory of the daemon, context of ${MEMORY_MB} MB, ${this.#clients === 'own' ? 'own client' : 'buildx'}`,
        unit: 'MB',
        sampan: [peakBytes / 1e6],
        other: undefined,
        otherName: '',
        goal: undefined,
        limit: PEAK_LIMIT_MB,
      };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  async forget(): Promise<void> {
    for (const endpoint of this.#setting.endpoints) await endpoint.removeImage(this.#name);
  }

  get #name(): string {
    return `sampan-bench-built-${process.pid}`;
  }

  /** `apart`: this process goes on meanwhile. */
  async #build(
    endpoint: Endpoint,
    folder: string,
    args: readonly string[] = [],
    { apart = false } = {},
  ): Promise<void> {
    const { sampan, sampanCli, dockerCli } = this.#setting;
    const isOwn = endpoint === sampan && this.#clients === 'own';
    const command = [
      isOwn ? sampanCli : (dockerCli ?? ''),
      '-H',
      endpoint.address,
      'build',
      '-q',
      '-t',
      this.#name,
      ...args,
      folder,
    ];
    const env = { DOCKER_CONFIG: this.#config };
    if (apart) await runApart(command, env);
    else runCommand(command, env);
  }
}

async function runApart(command: string[], env: Record<string, string>): Promise<void> {
  const child = Bun.spawn(command, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } });
  const said = await new Response(child.stderr).text();
  if ((await child.exited) !== 0) throw new Error(`${command.join(' ')}: ${said}`);
}

/** The buildx that set-up unpacked, else the client's own. */
function installBuildx(root: string, config: string): void {
  const plugin = join(root, '.cache/stock-clients/usr/libexec/docker/cli-plugins/docker-buildx');
  if (!existsSync(plugin) || existsSync(config)) return;
  mkdirSync(join(config, 'cli-plugins'), { recursive: true });
  symlinkSync(plugin, join(config, 'cli-plugins/docker-buildx'));
}
