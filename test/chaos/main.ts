import { parseArgs } from 'node:util';
import { runCampaign } from './campaign.ts';
import { SETTINGS, type Setting } from './plan.ts';
import { renderTally } from './tally.ts';

const USAGE = `Usage: npm run chaos -- [options]

  --seed N        repeat the schedule of that seed
  --minutes M     run for so long (default 5)
  --rounds N      or for so many rounds
  --setting S     only these: ${SETTINGS.join(', ')} (may be repeated)
  --workers N     workers side by side (default 6)
  --logs DIR      put the daemon's log there when something is broken
  --long-line MB  length of the line without a newline (default 1024)`;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    minutes: { type: 'string', default: '5' },
    rounds: { type: 'string' },
    setting: { type: 'string', multiple: true },
    workers: { type: 'string', default: '6' },
    logs: { type: 'string' },
    'long-line': { type: 'string', default: '1024' },
    help: { type: 'boolean', default: false },
  },
});

const say = (line: string) => void process.stdout.write(`${line}\n`);

function numberOf(name: string, text: string | undefined, absent: number): number {
  if (text === undefined) return absent;
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) fail(`--${name}: "${text}" is no number`);
  return value;
}

function fail(reason: string): never {
  process.stderr.write(`${reason}\n\n${USAGE}\n`);
  process.exit(2);
}

function settingsOf(names: readonly string[] | undefined): readonly Setting[] {
  return (names ?? SETTINGS).map((name) => {
    const setting = SETTINGS.find((known) => known === name);
    return setting ?? fail(`--setting: "${name}" is none of ${SETTINGS.join(', ')}`);
  });
}

if (values.help) {
  say(USAGE);
  process.exit(0);
}
const seed = numberOf('seed', values.seed, Math.floor(Math.random() * 2 ** 31));
const options = {
  seed,
  rounds: numberOf('rounds', values.rounds, Number.POSITIVE_INFINITY),
  minutes: values.rounds === undefined ? numberOf('minutes', values.minutes, 5) : Number.POSITIVE_INFINITY,
  plan: {
    busyRounds: 20,
    otherRounds: 2,
    workers: numberOf('workers', values.workers, 6),
    longLineMegabytes: numberOf('long-line', values['long-line'], 1024),
    settings: settingsOf(values.setting),
  },
  say,
  logs: values.logs,
};
say(`seed ${seed}`);
const started = performance.now();
const tally = await runCampaign(options);
say(`\n${renderTally(tally, seed, (performance.now() - started) / 1000)}`);
process.exit(tally.violations.length === 0 ? 0 : 1);
