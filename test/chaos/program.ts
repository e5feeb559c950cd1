const SIGKILLED = 137;

/** What a container of the campaign does, and what has to be seen of it afterwards. */
export interface Program {
  name: ProgramName;
  command: string[];
  /** More fields of HostConfig. */
  host: Record<string, unknown>;
  /** More fields of Config. */
  config?: Record<string, unknown>;
  /** How it ends of itself; undefined: it runs until it is stopped. */
  exitCode: number | undefined;
  /** Its restart policy starts it so often again. */
  restarts?: number;
  /** How a run of it ends that its policy lets no end be. */
  runCode?: number;
  /** Its log is rotated: the first lines go. */
  rotated?: boolean;
  /** It has a health check, which it passes. */
  healthy?: boolean;
  /** Numbered lines of one run to its own end. */
  lines: number | undefined;
  /** It prints this many bytes without a newline instead of lines. */
  unbrokenBytes?: number;
  /** The kernel ends it for lack of memory, and the engine has to say so. */
  outOfMemory?: boolean;
}

export type ProgramName =
  | 'counter'
  | 'chatty-counter'
  | 'healthy-counter'
  | 'survivor'
  | 'phoenix'
  | 'retried-job'
  | 'deaf-counter'
  | 'polite-counter'
  | 'short-job'
  | 'fork-bomb'
  | 'memory-hog'
  | 'double-fork'
  | 'silent'
  | 'long-line';

const COUNT = (lines: string, pause: string) =>
  `i=0; while ${lines}; do echo line $i; i=$((i+1)); ${pause}; done`;
const FOREVER = COUNT(':', 'sleep 0.1');

/** Programs that run until stopped, and don't come back from that. */
export const ENDLESS: readonly ProgramName[] = [
  'counter',
  'deaf-counter',
  'polite-counter',
  'chatty-counter',
  'healthy-counter',
];

/** How often `retried-job` is tried again. */
const RETRIES = 2;
const NANO = 1e9;

/** @param size of what differs between containers of one program: lines, exit code, megabytes. */
export function programOf(name: ProgramName, size: number): Program {
  const plain = { name, host: {}, exitCode: undefined, lines: undefined };
  const shell = (script: string) => ['sh', '-c', script];
  switch (name) {
    case 'counter':
      return { ...plain, command: shell(FOREVER) };
    case 'chatty-counter': {
      const LogConfig = { Type: 'json-file', Config: { 'max-size': '20k', 'max-file': '3' } };
      const command = shell(COUNT(':', '[ $((i % 20)) = 0 ] && sleep 0.2'));
      return { ...plain, command, host: { LogConfig }, rotated: true };
    }
    case 'healthy-counter': {
      const Healthcheck = { Test: ['CMD', 'sh', '-c', 'exit 0'], Interval: 2 * NANO, Timeout: 60 * NANO };
      return { ...plain, command: shell(FOREVER), config: { Healthcheck }, healthy: true };
    }
    case 'survivor':
      return { ...plain, command: shell(FOREVER), host: { RestartPolicy: { Name: 'unless-stopped' } } };
    case 'phoenix': {
      const script = `${COUNT(`[ $i -lt ${size} ]`, 'sleep 0.01')}; exit 3`;
      const host = { RestartPolicy: { Name: 'unless-stopped' } };
      const restarts = Number.POSITIVE_INFINITY;
      return { ...plain, command: shell(script), host, restarts, runCode: 3, lines: size };
    }
    case 'retried-job': {
      const exitCode = 1 + (size % 120);
      const script = `${COUNT(`[ $i -lt ${size} ]`, 'sleep 0.01')}; exit ${exitCode}`;
      const host = { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: RETRIES } };
      return { ...plain, command: shell(script), host, restarts: RETRIES, exitCode, lines: size };
    }
    case 'deaf-counter':
      return { ...plain, command: shell(`trap '' TERM INT HUP; ${FOREVER}`) };
    case 'polite-counter':
      return { ...plain, command: shell(`trap 'exit 143' TERM; ${FOREVER}`) };
    case 'short-job': {
      const exitCode = size % 125;
      const script = `${COUNT(`[ $i -lt ${size} ]`, 'sleep 0.01')}; exit ${exitCode}`;
      return { ...plain, command: shell(script), exitCode, lines: size };
    }
    case 'fork-bomb': {
      const script =
        'echo line 0; f() { f | f & }; (f) 2>/dev/null; i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; exit 7';
      return { ...plain, command: shell(script), host: { PidsLimit: 40 }, exitCode: 7, lines: 1 };
    }
    case 'memory-hog':
      return {
        ...plain,
        command: shell('echo line 0; exec tail /dev/zero'),
        host: { Memory: 24 << 20, MemorySwap: 24 << 20 },
        exitCode: SIGKILLED,
        lines: 1,
        outOfMemory: true,
      };
    case 'double-fork': {
      const script =
        'echo line 0; (setsid sleep 600 & setsid sh -c "sleep 600 & sleep 600" &); sleep 0.1; exit 6';
      return { ...plain, command: shell(script), exitCode: 6, lines: 1 };
    }
    case 'silent':
      return {
        ...plain,
        command: shell('echo line 0; exec <&- >&- 2>&-; sleep 0.3; exit 5'),
        exitCode: 5,
        lines: 1,
      };
    case 'long-line': {
      const unbrokenBytes = size << 20;
      const script = `head -c ${unbrokenBytes} /dev/zero | tr '\\0' x; exit 4`;
      // A log has an end of its own at 100 MB.
      const host = { LogConfig: { Type: 'json-file', Config: { 'max-size': '-1' } } };
      return { ...plain, command: shell(script), host, exitCode: 4, unbrokenBytes };
    }
  }
}
