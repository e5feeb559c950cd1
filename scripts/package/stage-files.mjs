// The tree of files that the Debian package installs.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, sep } from 'node:path';
import { gzipSync } from 'node:zlib';
import { compileCommandLine } from '../build.mjs';
import { findBun, root } from '../toolchain.mjs';
import { ARCHITECTURES, bunOf } from './bun-of.mjs';
import { runtimeClosure } from './runtime-modules.mjs';

const HOME = 'usr/lib/sampan';
/** Of other people's packages: what only their authors need. */
const DEAD_WEIGHT = new Set(['test', 'tests', 'benchmarks', 'examples', 'docs', '.github']);

/**
 * Fill `stage`. A checkout's layout is kept below /usr/lib/sampan, so launchers and sources are the ones that the tests run; the daemon is
 * Bun on these sources (a compiled one is no smaller in memory, and its workers and helpers would need entries of their own), the command
 * line is compiled (it starts in half the time).
 */
export function stageFiles(stage, { architecture, version, epoch }) {
  const bun = bunOf(architecture);
  stageEngine(stage, { architecture, bun });
  stageUnits(stage);
  stageConfiguration(stage);
  const date = new Date(epoch * 1000).toISOString().slice(0, 10);
  stageManual(stage, { version, date });
  stageCompletions(stage);
  stageDocumentation(stage);
}

function stageEngine(stage, { architecture, bun }) {
  const home = join(stage, HOME);
  const { package: bunPackage, target } = ARCHITECTURES[architecture];
  copyInto(bun, join(home, 'node_modules', bunPackage, 'bin/bun'), 0o755);
  const isOwn = architecture === { x64: 'amd64', arm64: 'arm64' }[process.arch];
  compileCommandLine(join(home, 'dist/sampan'), isOwn ? {} : { forTarget: { target, bun } });
  copyInto(join(root, 'bin/sampand'), join(home, 'bin/sampand'), 0o755);
  cpSync(join(root, 'src'), join(home, 'src'), { recursive: true, filter: isSource });
  for (const folder of runtimeClosure())
    cpSync(join(root, folder), join(home, folder), { recursive: true, filter: isRuntime });
  const { name, version, type, license } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  write(
    join(home, 'package.json'),
    `${JSON.stringify({ name, version, type, license, private: true }, undefined, 2)}\n`,
  );
  link(`../lib/sampan/dist/sampan`, join(stage, 'usr/bin/sampan'));
  link(`../lib/sampan/bin/sampand`, join(stage, 'usr/sbin/sampand'));
}

function isSource(path) {
  return !path.endsWith('.test.ts') && basename(path) !== 'testing';
}

function isRuntime(path) {
  const inside = path.slice(path.lastIndexOf(`node_modules${sep}`)).split(sep);
  const nested = path.includes(`${sep}node_modules${sep}.bin`);
  const depth = inside[1]?.startsWith('@') ? 3 : 2;
  if (nested || DEAD_WEIGHT.has(inside[depth] ?? '') || basename(path).startsWith('.')) return false;
  return !/(?:\.map|\.d\.[cm]?ts|\.md|\.sh|\.ico|\.html|tsconfig\.json|eslint\.config\.js)$/.test(path);
}

function stageUnits(stage) {
  for (const name of ['sampan.service', 'sampan.socket', 'sampan-shutdown.service']) {
    const text = readFileSync(join(root, 'packaging/systemd', name), 'utf8')
      .replace('Documentation=file:@ROOT@/README.md', 'Documentation=man:sampand(8)')
      .replace(
        'ExecStart=@ROOT@/bin/sampand -H fd://',
        'EnvironmentFile=-/etc/default/sampan\nExecStart=/usr/sbin/sampand -H fd:// $SAMPAN_OPTS',
      )
      .replace('RemainAfterExit=yes', 'RemainAfterExit=yes\nEnvironmentFile=-/etc/default/sampan')
      .replace('@ROOT@/bin/sampand shutdown', '/usr/sbin/sampand shutdown');
    if (text.includes('@ROOT@'))
      throw new Error(`${name} has a place of the checkout that the package doesn't know`);
    write(join(stage, 'usr/lib/systemd/system', name), text);
  }
}

function stageConfiguration(stage) {
  const from = (name) => join(root, 'packaging/debian', name);
  mkdirSync(join(stage, 'etc/sampan'), { recursive: true });
  copyInto(from('sampan.default'), join(stage, 'etc/default/sampan'));
  copyInto(from('sampan.init'), join(stage, 'etc/init.d/sampan'), 0o755);
  copyInto(from('sampan.logrotate'), join(stage, 'etc/logrotate.d/sampan'));
}

function stageManual(stage, { version, date }) {
  const folder = join(stage, 'usr/share/man');
  run(findBun(), [join(root, 'scripts/package/write-manual.ts'), folder, version, date]);
  for (const section of ['man1', 'man8'])
    for (const name of readdirSync(join(folder, section))) compress(join(folder, section, name));
}

function stageCompletions(stage) {
  const script = (program, shell) =>
    run(findBun(), [join(root, 'src/cli/main.ts'), 'completion', shell], { SAMPAN_PROGRAM: program });
  const share = join(stage, 'usr/share');
  write(join(share, 'bash-completion/completions/sampan'), script('sampan', 'bash'));
  write(join(share, 'zsh/vendor-completions/_sampan'), script('sampan', 'zsh'));
  write(join(share, 'fish/vendor_completions.d/sampan.fish'), script('sampan', 'fish'));
  // Under Docker's name they come and go with the alternative.
  for (const shell of ['bash', 'zsh', 'fish'])
    write(join(share, `sampan/completions/docker.${shell}`), script('docker', shell));
}

function stageDocumentation(stage) {
  const folder = join(stage, 'usr/share/doc/sampan');
  copyInto(join(root, 'packaging/debian/copyright'), join(folder, 'copyright'));
  copyInto(join(root, 'CHANGELOG.md'), join(folder, 'changelog'));
  compress(join(folder, 'changelog'));
  copyInto(join(root, 'README.md'), join(folder, 'README.md'));
  for (const name of readdirSync(join(root, 'docs')))
    copyInto(join(root, 'docs', name), join(folder, 'docs', name));
}

function copyInto(from, to, mode = 0o644) {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to, { dereference: true });
  chmodSync(to, mode);
}

function write(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function link(target, path) {
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(target, path);
}

/** Without a name and a time inside, so that the same text gives the same bytes. */
function compress(path) {
  writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9 }));
  rmSync(path);
}

function run(program, args, env = {}) {
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, ...env },
    maxBuffer: 1 << 26,
  });
  if (status !== 0) throw new Error(`${args.join(' ')} failed: ${stderr}`);
  return stdout;
}
