/** From good to bad. `note`: it works, and could be better; `warning`: something will go wrong; `failure`: something doesn't work. */
export const CHECK_STATES = ['ok', 'note', 'warning', 'failure'] as const;
export type CheckState = (typeof CHECK_STATES)[number];

/** One thing that was looked at. New names and fields may come; those that are there keep their meaning. */
export interface DoctorCheck {
  /** `daemon`, `storage`, `registry` … */
  Name: string;
  /** Which of several: a mirror's address. Else empty. */
  Subject: string;
  State: CheckState;
  /** What was found, in one sentence. */
  Found: string;
  /** More of it, a line each. */
  Details: string[];
  /** What it costs; empty where nothing. */
  Cost: string;
  /** What betters it, where no command alone does. */
  Advice: string;
  /** What to type to better it; empty where nothing helps or nothing is wanted. */
  Command: string;
}

/** The answer of `GET /doctor`, which is Sampan's own, and what `sampan doctor --json` prints. */
export interface DoctorReport {
  /** Raised when a field changes its meaning. */
  Version: 1;
  EngineVersion: string;
  /** Whether a daemon answered for this; false: the machine was looked at without one. */
  Running: boolean;
  /** Of the checks, the worst. */
  State: CheckState;
  /** `Debian GNU/Linux 12 (bookworm)` */
  OperatingSystem: string;
  KernelVersion: string;
  Architecture: string;
  Checks: DoctorCheck[];
}

/** The worst of some states; `ok` of none. */
export function worstState(states: readonly CheckState[]): CheckState {
  return CHECK_STATES.findLast((state) => states.includes(state)) ?? 'ok';
}
