// Builds sampan_<version>_<architecture>.deb. The same sources, SOURCE_DATE_EPOCH and dpkg give the same bytes.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { root } from '../toolchain.mjs';
import { stageFiles } from './stage-files.mjs';

const SCRIPTS = ['preinst', 'postinst', 'prerm', 'postrm'];
const CONFFILES = ['/etc/default/sampan', '/etc/init.d/sampan', '/etc/logrotate.d/sampan'];

/** @returns the package's path. */
export function buildDebianPackage({ architecture, version, epoch, compression, out }) {
  mkdirSync(out, { recursive: true });
  const stage = mkdtempSync(join(out, '.stage-'));
  try {
    stageFiles(stage, { architecture, version, epoch });
    stageControl(stage, { architecture, version });
    for (const path of entriesOf(stage)) settle(path, epoch);
    const target = join(out, `sampan_${version}_${architecture}.deb`);
    const args = ['--root-owner-group', '--threads-max=1', `-Z${compression}`, '--build', stage, target];
    const env = { ...process.env, SOURCE_DATE_EPOCH: String(epoch) };
    const { status, stderr, error } = spawnSync('dpkg-deb', args, { encoding: 'utf8', env });
    if (status !== 0) throw new Error(`dpkg-deb failed: ${error?.message ?? stderr}`);
    return target;
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

function stageControl(stage, { architecture, version }) {
  const files = entriesOf(stage)
    .filter((path) => lstatSync(path).isFile())
    .map((path) => path.slice(stage.length + 1));
  const control = join(stage, 'DEBIAN');
  mkdirSync(control);
  const size = files.reduce((sum, path) => sum + Math.ceil(lstatSync(join(stage, path)).size / 1024), 0);
  writeFileSync(join(control, 'control'), controlText({ architecture, version, size }));
  writeFileSync(join(control, 'conffiles'), `${CONFFILES.join('\n')}\n`);
  writeFileSync(join(control, 'triggers'), 'interest-noawait /usr/bin/docker\n');
  const sums = files
    .filter((path) => !CONFFILES.includes(`/${path}`))
    .map((path) => `${md5(join(stage, path))}  ${path}\n`);
  writeFileSync(join(control, 'md5sums'), sums.join(''));
  for (const name of SCRIPTS) {
    cpSync(join(root, 'packaging/debian', name), join(control, name));
    chmodSync(join(control, name), 0o755);
  }
}

function controlText({ architecture, version, size }) {
  return readFileSync(join(root, 'packaging/debian/control'), 'utf8')
    .replace('@VERSION@', version)
    .replace('@ARCHITECTURE@', architecture)
    .replace('@SIZE@', String(size));
}

function md5(path) {
  return createHash('md5').update(readFileSync(path)).digest('hex');
}

/** All below, and itself. */
function entriesOf(folder) {
  const below = readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? entriesOf(path) : [path];
  });
  return [...below.sort((one, other) => (one < other ? -1 : 1)), folder];
}

/** Modes and times that are nobody's own: a checkout's umask and clock stay out. */
function settle(path, epoch) {
  const entry = lstatSync(path);
  if (entry.isDirectory()) chmodSync(path, 0o755);
  else if (entry.isFile()) chmodSync(path, (entry.mode & 0o100) === 0 ? 0o644 : 0o755);
  lutimesSync(path, epoch, epoch);
}
