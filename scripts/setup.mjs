#!/usr/bin/env node
// Everything that the engine needs on a machine that has Node and npm: packages from npm, packages of the distribution. Run again, it
// looks and does nothing. Plain Node 18: Bun comes with the first step.
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { step } from './progress.mjs';
import { isStaticProgram } from './static-program.mjs';
import { unpackStockClients } from './stock-clients.mjs';
import { findBun, root } from './toolchain.mjs';

/** What is looked for, and the Debian package that brings it. */
const ENGINE_PROGRAMS = {
  crun: 'crun',
  conmon: 'conmon',
  nft: 'nftables',
  ip: 'iproute2',
  ps: 'procps',
  nsenter: 'util-linux',
  busybox: 'busybox-static',
  'tini-static': 'tini',
};
/** What only the tests need: a real registry, the stock client, checkers, shells. */
const TEST_PROGRAMS = {
  runc: 'runc',
  'docker-registry': 'docker-registry',
  'fsck.erofs': 'erofs-utils',
  setfattr: 'attr',
  setcap: 'libcap2-bin',
  openssl: 'openssl',
  mmdebstrap: 'mmdebstrap',
  'ssh-add': 'openssh-client',
  'systemd-analyze': 'systemd',
  fish: 'fish',
  zsh: 'zsh',
  man: 'man-db',
};
/** Goes into an image alone, so it has to be whole: the `busybox` that Debian's installer brings needs a libc beside it. */
const STATIC_PROGRAMS = new Set(['busybox']);
const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** A problem that the user has to solve; shown as one line. */
export class SetupProblem extends Error {}

export async function setup({ tests = false } = {}) {
  if (process.platform !== 'linux')
    throw new SetupProblem(`Sampan needs Linux; this is ${process.platform}.`);
  await installNpmPackages();
  await installOsPackages(tests ? { ...ENGINE_PROGRAMS, ...TEST_PROGRAMS } : ENGINE_PROGRAMS);
  if (!tests) return;
  await unpackDockerClient();
  if (onPath('apt-get')) await unpackStockClients(root);
}

async function installNpmPackages() {
  const lock = join(root, 'package-lock.json');
  const installed = join(root, 'node_modules/.package-lock.json');
  // Shared with another checkout, by a link: not ours to replace.
  if (hasBun() && lstatSync(join(root, 'node_modules')).isSymbolicLink()) return;
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs && hasBun()) return;
  await step(
    'Installing npm packages',
    'npm',
    ['ci', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund'],
    {
      cwd: root,
    },
  );
}

function hasBun() {
  try {
    return findBun() !== '';
  } catch {
    return false;
  }
}

export async function installOsPackages(programs) {
  const missing = [
    ...new Set(
      Object.entries(programs)
        .filter(
          ([name]) =>
            !(STATIC_PROGRAMS.has(name)
              ? folders().some((at) => isStaticProgram(join(at, name)))
              : onPath(name)),
        )
        .map(([, debian]) => debian),
    ),
  ];
  if (missing.length === 0) return;
  const list = missing.join(' ');
  if (process.getuid() !== 0)
    throw new SetupProblem(
      `These packages are missing: ${list}. Run this as root, or: sudo apt-get install ${list}`,
    );
  if (!onPath('apt-get'))
    throw new SetupProblem(
      `These programs' packages are missing and there is no apt-get to install them: ${list}`,
    );
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  // Services that a package brings are not started: only their programs are wanted.
  const install = ['install', '-y', '-qq', '--no-install-recommends', '-o', 'Dpkg::Use-Pty=0', ...missing];
  const known = missing.every(
    (name) => spawnSync('apt-cache', ['show', name], { stdio: 'ignore' }).status === 0,
  );
  if (!known) await step('Reading the package lists', 'apt-get', ['update', '-qq'], { env });
  try {
    await step(`Installing ${list}`, 'apt-get', install, { env });
  } catch {
    await step('Reading the package lists', 'apt-get', ['update', '-qq'], { env });
    await step(`Installing ${list}`, 'apt-get', install, { env });
  }
}

/**
 * The tests drive the engine with the stock client. Debian's package of it brings and starts a daemon, so the package is unpacked into
 * `.cache/docker-cli`, not installed. Newer suites have the client in a package of its own.
 */
async function unpackDockerClient() {
  const cache = join(root, '.cache');
  const unpacked = join(cache, 'docker-cli');
  if (onPath('docker') || existsSync(join(unpacked, 'usr/bin/docker'))) return;
  if (!onPath('apt-get'))
    throw new SetupProblem('The tests need the stock docker client. Put one named `docker` on PATH.');
  const candidate = ['docker-cli', 'docker.io'].find(hasCandidate);
  if (candidate === undefined)
    throw new SetupProblem(
      'The tests need the stock docker client, and apt-get knows neither docker-cli nor docker.io. Put a `docker` on PATH.',
    );
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, 'docker-cli-'));
  try {
    // Apt drops to another user for the download, who may not write here: a harmless notice.
    await step(`Fetching the docker client (${candidate})`, 'apt-get', ['download', '-qq', candidate], {
      cwd: work,
    });
    const archive = readdirSync(work).find((name) => name.endsWith('.deb'));
    mkdirSync(join(work, 'root'));
    const unpack = 'dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" ./usr/bin/docker';
    await step('Unpacking the docker client', 'sh', [
      '-ec',
      unpack,
      'sh',
      join(work, archive),
      join(work, 'root'),
    ]);
    if (!existsSync(join(work, 'root/usr/bin/docker')))
      throw new SetupProblem(
        `The package ${candidate} holds no docker client. Put one named \`docker\` on PATH.`,
      );
    rmSync(unpacked, { recursive: true, force: true });
    renameSync(join(work, 'root'), unpacked);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function hasCandidate(name) {
  const { stdout } = spawnSync('apt-cache', ['policy', name], { encoding: 'utf8' });
  return /Candidate: (?!\(none\))/.test(stdout ?? '');
}

const folders = () => [...(process.env.PATH ?? '').split(delimiter), ...FOLDERS];

function onPath(name) {
  return folders().some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Run a script's main; what it cannot do is one clear line. */
export async function runMain(main) {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof SetupProblem ? error.message : `Set-up failed: ${error.message}`);
    process.exit(1);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await runMain(() => setup({ tests: process.argv.includes('--tests') }));
