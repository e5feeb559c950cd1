import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { run, runChecked } from '../../sys/spawn.ts';

const FOLDER = '/etc/systemd/system';
const UNITS = ['sampan.service', 'sampan.socket', 'sampan-shutdown.service'];
/** What `scripts/systemd.mjs` writes begins so. */
const MARK = '# Made by `node scripts/systemd.mjs install`';
const PATIENCE_MS = 60_000;

/** The units that `scripts/systemd.mjs` has installed. Somebody else's of that name are none. */
export function installedUnits(folder = FOLDER): string[] {
  return UNITS.filter((name) => {
    const path = join(folder, name);
    return existsSync(path) && readFileSync(path, 'utf8').startsWith(MARK);
  });
}

/** Stop them, so that nothing starts the daemon again, and take them away with all links to them. */
export async function removeUnits(units: readonly string[], folder = FOLDER): Promise<void> {
  if (units.length === 0) return;
  const isLive = existsSync('/run/systemd/system');
  if (isLive) await runChecked(['systemctl', 'stop', ...units], { timeoutMs: PATIENCE_MS });
  for (const path of linksTo(units, folder)) rmSync(path);
  for (const name of units) rmSync(join(folder, name), { force: true });
  if (!isLive) return;
  await runChecked(['systemctl', 'daemon-reload'], { timeoutMs: PATIENCE_MS });
  // Of one that has failed systemd keeps the name.
  await run(['systemctl', 'reset-failed', ...units], { timeoutMs: PATIENCE_MS });
}

/** In `*.wants`, and aliases such as `docker.service`. */
function linksTo(units: readonly string[], folder: string): string[] {
  const folders = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [folder, ...folders.map(({ name }) => join(folder, name))]
    .flatMap((place) => readdirSync(place).map((name) => join(place, name)))
    .filter((path) => lstatSync(path).isSymbolicLink() && units.includes(basename(readlinkSync(path))));
}
