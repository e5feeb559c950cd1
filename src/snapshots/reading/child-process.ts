import { closeFd, type FdPair, openSocketPair } from '../../sys/pipe.ts';
import { type DetachedChild, spawnDetached } from '../../sys/spawn.ts';

/** A child that waits for its request: our ends of its sockets. Whoever has it closes them. */
export interface WaitingChild {
  process: DetachedChild;
  /** For its request. */
  words: number;
  input: number;
  output: number;
  errors: number;
}

/** How long a spare one is kept. It takes some 10 MB, and half of the time that a copy of one file does. */
const KEPT_MS = 10_000;
/** So that the answer to the request that has used the last one comes first. */
const DELAY_MS = 30;

/** `program`: path of a TypeScript file. It ends by itself when we do: its request will not come. */
function start(program: string): WaitingChild {
  const pairs: FdPair[] = [];
  const pair = (): FdPair => {
    const opened = openSocketPair();
    pairs.push(opened);
    return opened;
  };
  try {
    const [words, input, output, errors] = [pair(), pair(), pair(), pair()];
    const child = spawnDetached([process.execPath, program], {
      stdio: [input.second, output.second, errors.second, words.second],
      cwd: '/',
    });
    for (const { second } of pairs) closeFd(second);
    return {
      process: child,
      words: words.first,
      input: input.first,
      output: output.first,
      errors: errors.first,
    };
  } catch (error) {
    for (const { first, second } of pairs) {
      closeFd(first);
      closeFd(second);
    }
    throw error;
  }
}

interface Spare {
  child: WaitingChild;
  timer: NodeJS.Timeout;
}

const spares = new Map<string, Spare>();
const preparing = new Set<string>();

/** A child that has loaded `program` already, where one was wanted within the last seconds; else a new one. */
export function waitingChild(program: string): WaitingChild {
  const spare = spares.get(program);
  if (spare !== undefined) {
    clearTimeout(spare.timer);
    spares.delete(program);
  }
  prepare(program);
  return spare?.child ?? start(program);
}

/** Of a client's two calls (what stands there? then the copy) the second finds one that waits. */
function prepare(program: string): void {
  if (preparing.has(program)) return;
  preparing.add(program);
  setTimeout(() => {
    preparing.delete(program);
    if (!spares.has(program)) keep(program);
  }, DELAY_MS).unref();
}

function keep(program: string): void {
  let child: WaitingChild;
  try {
    child = start(program);
  } catch {
    // Who needs one is told.
    return;
  }
  const spare: Spare = { child, timer: setTimeout(drop, KEPT_MS) };
  spare.timer.unref();
  spares.set(program, spare);
  void child.process.exited.then(drop);
  // Without a request it ends.
  function drop(): void {
    if (spares.get(program) !== spare) return;
    clearTimeout(spare.timer);
    spares.delete(program);
    for (const fd of [child.words, child.input, child.output, child.errors]) closeFd(fd);
  }
}
