const SIGKILLED = 137;

/** What a container of the campaign does, and what has to be seen of it afterwards. */
export interface Program {
  name: ProgramName;
  command: string[];
  /** More fields of HostConfig. */
  host: Record<string, unknown>;
  /** How it ends of itself; undefined: it runs until it is stopped. */
  exitCode: number | undefined;
  /** Numbered lines of one run to its own end. */
  lines: number | undefined;
  /** It prints this many bytes without a newline instead of lines. */
  unbrokenBytes?: number;
  /** The kernel ends it for lack of memory, and the engine has to say so. */
  outOfMemory?: boolean;
}

export type ProgramName =
  | 'counter'
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
const FOREVER = COUNT(':', 'sleep 0.05');

/** Programs that run until stopped. */
export const ENDLESS: readonly ProgramName[] = ['counter', 'deaf-counter', 'polite-counter'];

/** @param size of what differs between containers of one program: lines, exit code, megabytes. */
export function programOf(name: ProgramName, size: number): Program {
  const plain = { name, host: {}, exitCode: undefined, lines: undefined };
  const shell = (script: string) => ['sh', '-c', script];
  switch (name) {
    case 'counter':
      return { ...plain, command: shell(FOREVER) };
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
      return { ...plain, command: shell(script), exitCode: 4, unbrokenBytes };
    }
  }
}
