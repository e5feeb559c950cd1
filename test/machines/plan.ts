import { PLATFORMS, type Platform } from './platform.ts';
import type { Step } from './step.ts';
import { newcomer } from './steps/newcomer.ts';
import { packages } from './steps/packages.ts';
import { powerCuts } from './steps/power-cuts.ts';
import { small } from './steps/small.ts';
import { suite } from './steps/suites.ts';
import { survey } from './steps/survey.ts';
import { systemd } from './steps/systemd.ts';
import { timings } from './steps/timings.ts';

/** In the order in which they run on one machine; each finds it as the one before left it, and an engine that was started. */
export const STEPS: Readonly<Record<string, Step>> = {
  newcomer,
  survey,
  timings,
  storage: suite('Contract suites: storage', 'src/snapshots'),
  runtime: suite('Contract suites: runtime', 'src/runtime'),
  network: suite('Contract suites: network', 'src/network'),
  tour: suite('Tour', 'test/tour'),
  systemd,
  small,
  'power-cuts': powerCuts,
  'npm-test': suite('`npm test`', ''),
  packages,
};

export interface PlannedMachine {
  platform: Platform;
  steps: string[];
}

export interface PlanRequest {
  /** None: all. */
  platforms: readonly string[];
  steps: readonly string[];
  /** Whether a step of that platform has passed with this very engine. */
  isDone: (platform: string, step: string) => boolean;
}

/**
 * What is to be run where. Steps that have passed already are left out, machines with no step left too.
 *
 * @throws Error for a name that is none of ours.
 */
export function planMachines({ platforms, steps, isDone }: PlanRequest): PlannedMachine[] {
  const wanted = known(
    'machine',
    platforms,
    PLATFORMS.map(({ name }) => name),
  );
  const order = known('step', steps, Object.keys(STEPS));
  return PLATFORMS.filter(({ name }) => wanted.includes(name)).flatMap((platform) => {
    const open = order.filter((step) => !isDone(platform.name, step));
    return open.length === 0 ? [] : [{ platform, steps: open }];
  });
}

/** In our order, whatever theirs. */
function known(what: string, names: readonly string[], ours: readonly string[]): string[] {
  const stranger = names.find((name) => !ours.includes(name));
  if (stranger !== undefined)
    throw new Error(`There is no ${what} "${stranger}"; there are: ${ours.join(', ')}`);
  return ours.filter((name) => names.length === 0 || names.includes(name));
}
