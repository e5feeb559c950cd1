import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { must } from '../support/engine/command.ts';
import { type Accelerator, chooseAccelerator } from './accelerator.ts';
import { commitWorkingTree } from './checkout.ts';
import { readHostSettings } from './host-settings.ts';
import { openCache } from './machine-cache.ts';
import { MachineResults } from './machine-results.ts';
import { planMachines, STEPS } from './plan.ts';
import { PLATFORMS } from './platform.ts';
import { renderPlatformsPage } from './platforms-page.ts';
import { ensureRootImage, type RootImage } from './root-image.ts';
import { runMachine } from './run-machine.ts';

const USAGE = `Usage: npm run machines -- [options]

  --machine NAME   only these: ${PLATFORMS.map(({ name }) => name).join(', ')} (may be repeated)
  --step NAME      only these: ${Object.keys(STEPS).join(', ')} (may be repeated)
  --again          also what has passed with this very commit
  --trial          the working tree as it lies, changes too; nothing is written down
  --fresh          from roots on which nothing was installed yet
  --prepare        only make the roots
  --keep           leave each machine running until Enter, and say how to get into it`;

const { values } = parseArgs({
  options: {
    machine: { type: 'string', multiple: true, default: [] },
    step: { type: 'string', multiple: true, default: [] },
    again: { type: 'boolean', default: false },
    trial: { type: 'boolean', default: false },
    fresh: { type: 'boolean', default: false },
    prepare: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(`${USAGE}\n`);
  process.exit(0);
}

const root = resolve(import.meta.dir, '../..');
const cache = openCache();
const results = new MachineResults(cache.results);
const commit = values.trial
  ? await commitWorkingTree(root)
  : (await must(['git', '-C', root, 'rev-parse', 'HEAD'])).trim();
const settings = await readHostSettings();
const plan = planMachines({
  platforms: values.machine,
  steps: values.step,
  isDone: (platform, step) => {
    const result = results.read(platform)[step];
    const { problems = [], unfinished = false } = result ?? {};
    return !values.again && result?.commit === commit && problems.length === 0 && !unfinished;
  },
});

const say = (line: string) => void process.stdout.write(`${line}\n`);
let chosen: Promise<Accelerator> | undefined;
const run = {
  root,
  cache,
  results,
  commit,
  settings,
  keep: values.keep,
  fresh: values.fresh,
  again: values.again,
  trial: values.trial,
  recorded: writePage,
  accelerator: (image: RootImage) => (chosen ??= chooseAccelerator(image)),
};
let problems = 0;
for (const planned of plan) {
  if (values.prepare) {
    await ensureRootImage(planned.platform, { folder: cache.roots, settings, say });
    continue;
  }
  problems += await runMachine(planned, run);
}
writePage();
if (!values.prepare) say(problems === 0 ? 'Everything works.' : `${problems} problems.`);
process.exit(problems === 0 ? 0 : 1);

function writePage(): void {
  const columns = PLATFORMS.map(({ name, title }) => ({ title, results: results.read(name) }));
  writeFileSync(join(root, 'docs/platforms.md'), renderPlatformsPage(columns, Object.keys(STEPS)));
}
