import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Accelerator, isEmulated } from './accelerator.ts';
import { arrive } from './checkout.ts';
import type { HostSettings } from './host-settings.ts';
import type { MachineCache } from './machine-cache.ts';
import type { MachineResults } from './machine-results.ts';
import { type PlannedMachine, STEPS } from './plan.ts';
import { ensureRootImage, type RootImage } from './root-image.ts';
import { CHECKOUT, type Step, type StepContext, type StepOutcome } from './step.ts';
import { takeAway } from './steps/newcomer.ts';
import { type Hardware, VirtualMachine } from './virtual-machine.ts';

export interface MachineRun {
  root: string;
  cache: MachineCache;
  results: MachineResults;
  commit: string;
  settings: HostSettings;
  /** Found out with the first root, for all. */
  accelerator(image: RootImage): Promise<Accelerator>;
  keep: boolean;
  /** Not from a disk that was kept. */
  fresh: boolean;
  /** What was found before counts for nothing. */
  again: boolean;
  /** Nothing is written down. */
  trial: boolean;
  /** After each time that something was. */
  recorded(): void;
}

/** What decides on what set-up installs. */
const INSTALLED_BY = ['package-lock.json', 'scripts/setup.mjs', 'scripts/stock-clients.mjs'];

/** Runs a machine's steps and records what each found. Resolves to the number of problems. */
export async function runMachine({ platform, steps }: PlannedMachine, run: MachineRun): Promise<number> {
  const started = performance.now();
  const say = (line: string) =>
    void process.stdout.write(
      `${platform.name}, ${((performance.now() - started) / 1000).toFixed(0)} s: ${line}\n`,
    );
  const { cache, settings, root } = run;
  const image = await ensureRootImage(platform, { folder: cache.roots, settings, say });
  const hardware: Hardware = {
    accelerator: await run.accelerator(image),
    memoryMb: 4096,
    cores: 2,
    durable: true,
  };
  if (isEmulated(hardware.accelerator)) say('the processors are emulated: KVM does not work here');
  const { npm, environment } = settings;
  const job: MachineJob = {
    run,
    image,
    facts: { platform, hardware, say, root, commit: run.commit, npm, environment },
    logOf: (name) => join(cache.logs, `${platform.name}-${name}.log`),
  };
  rmSync(job.logOf('console'), { force: true });
  const kept = join(image.folder, `installed-${installedKey(root)}.qcow2`);
  if (run.fresh) rmSync(kept, { force: true });
  if (existsSync(kept)) return await withMachine(job, kept, (machine) => runSteps(steps, machine, job));
  const problems = await install(job, kept);
  const others = steps.filter((step) => step !== 'newcomer');
  if (others.length === 0) return problems;
  return problems + (await withMachine(job, kept, (machine) => runSteps(others, machine, job)));
}

interface MachineJob {
  run: MachineRun;
  image: RootImage;
  facts: Omit<StepContext, 'log' | 'guest' | 'machine' | 'earlier' | 'note'>;
  logOf: (name: string) => string;
}

function installedKey(root: string): string {
  const hash = createHash('sha256');
  for (const path of INSTALLED_BY) hash.update(readFileSync(join(root, path)));
  return hash.digest('hex').slice(0, 12);
}

/** The newcomer's own machine: becomes the disk that all other runs begin with. */
async function install(job: MachineJob, kept: string): Promise<number> {
  // Nothing of it is kept should it fail, so nothing waits for a disk.
  const quick = { ...job, facts: { ...job.facts, hardware: { ...job.facts.hardware, durable: false } } };
  return await withMachine(quick, undefined, async (machine) => {
    const problems = await runSteps(['newcomer'], machine, job);
    if (problems > 0) throw new Error('A newcomer does not get through: nothing else can be tried');
    const context = contextOf('install', machine, job);
    const left = await takeAway(context);
    for (const problem of left) job.facts.say(`PROBLEM ${problem}`);
    job.facts.say('installs what the tests need');
    await machine.guest.must(`cd ${CHECKOUT} && node scripts/setup.mjs --tests`, {
      limitMs: 7_200_000,
      log: context.log,
    });
    await machine.shutDown();
    machine.keepAs(kept);
    return left.length;
  });
}

async function withMachine<T>(
  { image, run, facts, logOf }: MachineJob,
  kept: string | undefined,
  use: (machine: VirtualMachine) => Promise<T>,
): Promise<T> {
  const places = {
    disks: run.cache.disks,
    console: logOf('console'),
    ...(kept === undefined ? {} : { kept }),
  };
  const machine = await VirtualMachine.create(image, places);
  const end = () => void machine.discard().finally(() => process.exit(130));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end);
  try {
    facts.say('boots');
    await machine.boot(facts.hardware);
    return await use(machine);
  } finally {
    await machine.discard();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, end);
  }
}

function contextOf(step: string, machine: VirtualMachine, { run, facts, logOf }: MachineJob): StepContext {
  const { results, commit, trial, again } = run;
  const platform = facts.platform.name;
  return {
    ...facts,
    machine,
    guest: machine.guest,
    log: logOf(step),
    earlier: again ? undefined : results.read(platform)[step],
    note: (outcome) => {
      if (trial) return;
      results.record(platform, step, { ...outcome, commit });
      run.recorded();
    },
  };
}

async function runSteps(steps: readonly string[], machine: VirtualMachine, job: MachineJob): Promise<number> {
  const { run, facts, logOf } = job;
  let problems = 0;
  if (!steps.includes('newcomer')) {
    facts.say('npm start');
    await arrive(contextOf('arrival', machine, job));
  }
  for (const name of steps) {
    facts.say(name);
    rmSync(logOf(name), { force: true });
    const context = contextOf(name, machine, job);
    const outcome = await take(STEPS[name] as Step, context);
    context.note(outcome);
    problems += outcome.problems.length;
    for (const problem of outcome.problems) facts.say(`PROBLEM ${problem}`);
    facts.say(`${name}: ${JSON.stringify(outcome.cells)}`);
  }
  if (run.keep) await waitForEnter(`runs on; ${machine.guest.way} leads into it. Enter ends it.`, facts.say);
  return problems;
}

/** What ends a step is a problem like others: the next one may do. */
async function take(step: Step, context: StepContext): Promise<StepOutcome> {
  return await step(context).catch((error: unknown) => ({ cells: {}, problems: [String(error)] }));
}

async function waitForEnter(line: string, say: (line: string) => void): Promise<void> {
  say(line);
  for await (const _ of process.stdin) break;
}
