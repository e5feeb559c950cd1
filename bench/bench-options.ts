import { parseArgs } from 'node:util';

export const benchNames = [
  'run',
  'run-stock',
  'pull',
  'rmi',
  'pull-load',
  'pull-limit',
  're-pull',
  'save',
  'load',
  'push',
  'attach',
  'logs',
  'logs-since',
  'exec',
  'run-many',
  'crowd',
  'user-network',
  'traffic',
  'run-memory',
  'image-ls',
  'build',
  'build-stock',
  'idle-memory',
  'start',
  'floor',
] as const;
export type BenchName = (typeof benchNames)[number];

export interface BenchOptions {
  names: BenchName[];
  /** The Docker endpoint to compare with, `unix://…`. */
  peer: string | undefined;
  /** Process ids of the peer's daemons; found by its socket when empty. */
  peerPids: number[];
  /** Starts the peer's daemon, for `start`; the shell's words. */
  peerCommand: string | undefined;
  /** A running Sampan, `unix://…`; a private one is started when undefined. */
  socket: string | undefined;
  /** Timed rounds; each bench has its own default. */
  runs: number | undefined;
  bip: string;
  image: { layers: number; files: number; megabytes: number };
  /** What `run-memory` runs in all. */
  containerRuns: number;
  /** The table goes here; undefined prints only. */
  output: string | undefined;
}

export class BenchUsageError extends Error {}

export const usage = `Usage: bench/run NAME... [options]      one or more of: ${benchNames.join(', ')}
       bench/run all [options]          everything, and write bench/RESULTS.md

  --peer unix://PATH     The Docker endpoint to compare with; without it only Sampan is timed
  --peer-pid PID,...     Its daemons, for idle-memory (default: the owner of the socket and its containerd)
  --peer-command CMD     Starts the peer's daemon anew, for start, which stops it: as it was started, with --live-restore
  --socket unix://PATH   A running Sampan (default: a private one, removed afterwards)
  --bip CIDR             Bridge address of the private Sampan
  --runs N               Timed rounds, after one warm-up
  --size MB              The pulled image: unpacked size (default 300)
  --files N              … its files (default 12000)
  --layers N             … its layers (default 4)
  --container-runs N     What run-memory runs in all; it compares with a tenth of it (default 1000, the goal says 5000)
  --output FILE          Where the table goes
`;

/** @throws BenchUsageError for what the usage doesn't have. */
export function readBenchOptions(argv: readonly string[], resultsFile: string): BenchOptions {
  const { values, positionals } = parse(argv);
  if (positionals.length === 0) throw new BenchUsageError('Which bench?');
  const all = positionals.includes('all');
  return {
    names: all ? [...benchNames] : positionals.map(benchName),
    peer: unixAddress(values.peer),
    peerPids: (values['peer-pid'] ?? '').split(',').filter(Boolean).map(positive),
    peerCommand: values['peer-command'],
    socket: unixAddress(values.socket),
    runs: values.runs === undefined ? undefined : positive(values.runs),
    bip: values.bip ?? defaultBip(),
    image: {
      layers: positive(values.layers ?? '4'),
      files: positive(values.files ?? '12000'),
      megabytes: positive(values.size ?? '300'),
    },
    containerRuns: positive(values['container-runs'] ?? '1000'),
    output: values.output ?? (all ? resultsFile : undefined),
  };
}

function parse(argv: readonly string[]) {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        peer: text,
        'peer-pid': text,
        'peer-command': text,
        socket: text,
        bip: text,
        runs: text,
        size: text,
        files: text,
        layers: text,
        'container-runs': text,
        output: text,
      },
    });
  } catch (error) {
    throw new BenchUsageError(error instanceof Error ? error.message : String(error));
  }
}

function benchName(name: string): BenchName {
  const found = benchNames.find((known) => known === name);
  if (found === undefined) throw new BenchUsageError(`Unknown bench ${JSON.stringify(name)}`);
  return found;
}

function unixAddress(value: string | undefined): string | undefined {
  if (value !== undefined && !value.startsWith('unix:///'))
    throw new BenchUsageError(`Not a unix:// address: ${JSON.stringify(value)}`);
  return value;
}

function positive(value: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 1)
    throw new BenchUsageError(`Not a positive number: ${JSON.stringify(value)}`);
  return number;
}

/** Differs between benches that run at the same time. */
function defaultBip(): string {
  return `10.${96 + ((process.pid >> 8) & 31)}.${process.pid & 255}.1/24`;
}
