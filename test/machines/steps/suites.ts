import { isEmulated } from '../accelerator.ts';
import { CHECKOUT, type Step } from '../step.ts';

const HOURS_MS = 12 * 3_600_000;
/** Emulated processors are some thirty times slower, where others use the host's too. */
const EMULATED_PATIENCE = 30;
const TALLY = /^(\d+) passed, (\d+) failed, (\d+) skipped$/m;

/** Tests of the checkout, by its own runner. */
export function suite(row: string, paths: string): Step {
  return async ({ guest, hardware, log }) => {
    const patience = isEmulated(hardware.accelerator) ? EMULATED_PATIENCE : 1;
    const command = `cd ${CHECKOUT} && SAMPAN_TEST_PATIENCE=${patience} node scripts/test.mjs ${paths}`;
    const { output, code } = await guest.run(command, {
      limitMs: HOURS_MS,
      log,
    });
    const [, passed, failed, skipped] = TALLY.exec(output) ?? [];
    const problems = failuresOf(output);
    if (passed === undefined) problems.push(`The tests of ${paths} came to no end (${code})`);
    else if (code !== 0 && problems.length === 0) problems.push(`The tests of ${paths} ended with ${code}`);
    return { cells: { [row]: tallyOf({ passed, failed, skipped }) }, problems };
  };
}

/** The names of failed tests and of what was left behind. */
export function failuresOf(output: string): string[] {
  return output.split('\n').filter((line) => /^(?:\(fail\)|LEAK|FAIL)/.test(line));
}

function tallyOf({
  passed,
  failed,
  skipped,
}: Record<'passed' | 'failed' | 'skipped', string | undefined>): string {
  if (passed === undefined) return 'no end';
  const others = [failed === '0' ? '' : `${failed} failed`, skipped === '0' ? '' : `${skipped} skipped`];
  return [`${passed} passed`, ...others.filter(Boolean)].join(', ');
}
