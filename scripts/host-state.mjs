// What of the engine can be seen on this machine from outside: mounts, interfaces, tables, cgroups, processes, files. Tests compare before and
// after. Daemons that somebody else runs here meanwhile are told apart by their roots.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';

const CGROUPS = '/sys/fs/cgroup';
/** Lasts as long as the machine is up, by design: daemons that come and go take turns by it. */
const LASTING = new Set(['/run/sampan-network.lock']);
const SAMPAN_LINK = /^(sampan\d*|smp-|ve[0-9a-f]{6,})/;

/** Everything that can be leaked, as `kind what`. */
export function hostState() {
  return new Set([...mounts(), ...links(), ...tables(), ...cgroups(), ...runFiles()]);
}

/** What is there now, was not `before`, and belongs to no daemon that somebody runs here: `kind what` lines. */
export function appearedSince(before) {
  const foreign = foreignDaemons();
  return [...hostState()].filter((item) => !before.has(item) && !foreign.some((own) => own(item)));
}

/** What one run left for certain: processes with its mark in their environment (SAMPAN_TEST_RUN), files in the folder that was its TMPDIR. */
export function leftBy({ mark, folder }) {
  return [...markedProcesses(mark), ...names(folder).map((name) => `file ${join(folder, name)}`)];
}

function mounts() {
  return lines(read('/proc/self/mountinfo')).map((line) => `mount ${line.split(' ')[4]}`);
}

function links() {
  return lines(run('ip', ['-o', 'link']))
    .flatMap((line) => /^\d+: ([^:@]+)/.exec(line)?.[1] ?? [])
    .map((name) => `interface ${name}`);
}

function tables() {
  return lines(run('nft', ['list', 'tables'])).map((line) => `nft ${line}`);
}

function cgroups() {
  const unified = existsSync(join(CGROUPS, 'cgroup.controllers'));
  const hierarchies = unified ? [CGROUPS] : folders(CGROUPS);
  return hierarchies
    .flatMap((hierarchy) => folders(hierarchy))
    .filter((path) => /\/sampan[^/]*$/.test(path))
    .map((path) => `cgroup ${path}`);
}

function runFiles() {
  const wanted = ['/run', '/run/crun', '/run/runc', '/run/netns'];
  return wanted
    .flatMap((path) => names(path).map((name) => join(path, name)))
    .filter((path) => !LASTING.has(path))
    .map((path) => `file ${path}`);
}

/** For each live daemon here: whether an item may be its own. */
function foreignDaemons() {
  return names('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      const args = read(`/proc/${pid}/cmdline`).split('\0');
      if (!args.some((arg) => /src\/daemon\/main\.ts$|\/sampand$/.test(arg))) return [];
      const value = (flag) => args[args.indexOf(flag) + 1];
      const roots = ['--data-root', '--exec-root'].flatMap((flag) =>
        args.includes(flag) ? [value(flag)] : [],
      );
      const dataRoot = args.includes('--data-root') ? value('--data-root') : '/var/lib/sampan';
      const cgroup = `sampan-${createHash('sha256').update(resolve(dataRoot)).digest('hex').slice(0, 8)}`;
      const sharesNetwork = link(`/proc/${pid}/ns/net`) === link('/proc/self/ns/net');
      return [
        (item) =>
          item.endsWith(`/${cgroup}`) ||
          roots.some((root) => item.startsWith(`mount ${root}`)) ||
          item.startsWith('file /run/sampan') ||
          (sharesNetwork && (SAMPAN_LINK.test(item.replace('interface ', '')) || /^nft .*sampan/.test(item))),
      ];
    });
}

function markedProcesses(mark) {
  return names('/proc')
    .filter(
      (name) => /^\d+$/.test(name) && read(`/proc/${name}/environ`).includes(`SAMPAN_TEST_RUN=${mark}\0`),
    )
    .map((pid) => `process ${pid} ${read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim()}`);
}

function folders(path) {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(path, entry.name));
  } catch {
    return [];
  }
}

function names(path) {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function link(path) {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function run(command, args) {
  return spawnSync(command, args, { encoding: 'utf8' }).stdout ?? '';
}

function lines(text) {
  return text.split('\n').filter(Boolean);
}
