#!/usr/bin/env node
// Has systemd keep the engine: `install [--docker-alias] | uninstall | status`. `--root DIR` works on a file system that isn't running.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import http from 'node:http';
import { basename, dirname, join } from 'node:path';
import { runMain, SetupProblem } from './setup.mjs';
import { root as checkout } from './toolchain.mjs';

const USAGE = `Usage: node scripts/systemd.mjs install [--docker-alias] | uninstall | status   [--root DIR]

  install          units sampan.service and sampan.socket, started now and at each boot, and
                   sampan-shutdown.service, which stops containers as the machine goes down
  --docker-alias   the names docker.service and docker.socket too, so that \`systemctl restart docker\` means Sampan
  uninstall        takes away what install made; images and containers stay`;

const ENGINE_UNITS = ['sampan.service', 'sampan.socket'];
const UNITS = [...ENGINE_UNITS, 'sampan-shutdown.service'];
const FOLDER = 'etc/systemd/system';
const UNIT_FOLDERS = [
  FOLDER,
  'run/systemd/system',
  'usr/local/lib/systemd/system',
  'usr/lib/systemd/system',
  'lib/systemd/system',
];
const SOCKET = '/run/sampan.sock';
/** By this line we know our own files again. */
const MARK =
  '# Made by `node scripts/systemd.mjs install`; `uninstall` takes it away. Change it by `systemctl edit`.';

/** The text of a unit for an engine that lies in `directory`. */
export function renderUnit(name, { directory, dockerAlias, dockerGroup = true }) {
  if (!/^\/[\w./+@:,=-]*$/.test(directory))
    throw new SetupProblem(
      `Cannot write ${JSON.stringify(directory)} into a unit: move the checkout to a path of letters, digits and ./+@:,=-_`,
    );
  const template = readFileSync(join(checkout, 'packaging/systemd', name), 'utf8');
  const alias = dockerAlias && ENGINE_UNITS.includes(name) ? `Alias=${dockerName(name)}\n` : '';
  const text = template.replaceAll('@ROOT@', directory.replace(/(?<=.)\/+$/, ''));
  return `${MARK}\n${dockerGroup ? text : text.replace('SocketGroup=docker\n', '')}${alias}`;
}

const dockerName = (name) => name.replace('sampan', 'docker');

/** @throws SetupProblem when a unit of that name is somebody else's. */
function refuseForeign(target, names) {
  for (const folder of UNIT_FOLDERS) {
    for (const name of names) {
      const path = join(target, folder, name);
      if (isThere(path) && !isOurs(path))
        throw new SetupProblem(
          name.startsWith('docker')
            ? `${path} belongs to Docker, which stays untouched. Remove Docker first, or install without --docker-alias.`
            : `${path} was not made by this script. Move it away first.`,
        );
    }
  }
}

function isThere(path) {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Our file, or a link to one of our units. */
function isOurs(path) {
  if (lstatSync(path).isSymbolicLink()) return UNITS.includes(basename(readlinkSync(path)));
  return readFileSync(path, 'utf8').startsWith(MARK);
}

async function install({ target, dockerAlias }) {
  refuseForeign(target, [...UNITS, ...(dockerAlias ? ENGINE_UNITS.map(dockerName) : [])]);
  const dockerGroup = hasDockerGroup(target);
  const options = { directory: checkout, dockerAlias, dockerGroup };
  const texts = new Map(UNITS.map((name) => [name, renderUnit(name, options)]));
  if (isLive(target)) {
    validate();
    await refuseStrayEngine();
  }
  // The alias of an earlier installation goes when it isn't wanted any more.
  const earlier = UNITS.filter((name) => isThere(unitPath(target, name)));
  if (earlier.length > 0) systemctl(target, ['disable', '--quiet', ...earlier]);
  mkdirSync(join(target, FOLDER), { recursive: true });
  for (const [name, text] of texts) writeFileSync(unitPath(target, name), text, { mode: 0o644 });
  if (isLive(target)) systemctl(target, ['daemon-reload']);
  systemctl(target, ['enable', '--quiet', ...UNITS]);
  if (isLive(target)) {
    systemctl(target, ['restart', 'sampan.socket', 'sampan.service', 'sampan-shutdown.service']);
    console.log(`sampan.service runs and starts at each boot. Its log: journalctl -u sampan`);
  } else {
    console.log(
      `sampan.service and sampan.socket are installed in ${join(target, FOLDER)}, and sampan-shutdown.service beside them.`,
    );
  }
  if (dockerAlias) console.log('`systemctl restart docker` means Sampan now.');
  if (!dockerGroup)
    console.log(
      'There is no group docker, so only root may use the socket. To change that: groupadd --system docker, and install again.',
    );
  warnOfWriters();
}

function uninstall({ target }) {
  const present = UNITS.filter((name) => isThere(unitPath(target, name)));
  if (present.length === 0) return console.log('Nothing is installed.');
  refuseForeign(target, present);
  if (isLive(target)) systemctl(target, ['stop', ...present]);
  systemctl(target, ['disable', '--quiet', ...present]);
  for (const name of present) rmSync(unitPath(target, name));
  if (isLive(target)) systemctl(target, ['daemon-reload']);
  console.log(
    `${present.join(', ')} ${present.length === 1 ? 'is' : 'are'} gone. Containers run on; images and containers are kept in /var/lib/sampan.`,
  );
}

function status({ target }) {
  const installed = isThere(unitPath(target, 'sampan.service')) && isOurs(unitPath(target, 'sampan.service'));
  const alias = isThere(unitPath(target, 'docker.service')) && isOurs(unitPath(target, 'docker.service'));
  console.log(`installed:     ${installed ? 'yes' : 'no'}`);
  console.log(`docker alias:  ${alias ? 'yes' : 'no'}`);
  if (!installed || !isLive(target)) return;
  for (const name of UNITS)
    console.log(
      `${name}: ${spawnSync('systemctl', ['is-active', name], { encoding: 'utf8' }).stdout.trim()}`,
    );
}

function unitPath(target, name) {
  return join(target, FOLDER, name);
}

const isLive = (target) => target === '/';

function systemctl(target, args) {
  const where = isLive(target) ? [] : ['--root', target];
  const { status: code, stderr, error } = spawnSync('systemctl', [...where, ...args], { encoding: 'utf8' });
  if (code !== 0)
    throw new SetupProblem(`systemctl ${args.join(' ')} failed: ${error?.message ?? stderr.trim()}`);
}

/** An engine of `npm start` holds the data root, so the service could not start. */
async function refuseStrayEngine() {
  const active = spawnSync('systemctl', ['is-active', '--quiet', 'sampan.socket']).status === 0;
  if (active || !(await answers())) return;
  throw new SetupProblem(
    'The engine runs already, without systemd. Stop it first (containers run on): kill $(cat /run/sampan.pid)',
  );
}

function answers() {
  return new Promise((resolve) => {
    const request = http.get({ socketPath: SOCKET, path: '/_ping', timeout: 3000 }, (response) => {
      response.resume();
      resolve(true);
    });
    request.on('error', () => resolve(false));
    request.on('timeout', () => request.destroy());
  });
}

/** systemd fails a socket whose group doesn't exist; without the group the socket is root's alone. */
function hasDockerGroup(target) {
  const groups = join(target, 'etc/group');
  return existsSync(groups) && /^docker:/m.test(readFileSync(groups, 'utf8'));
}

/** A configuration that the daemon refuses is told here and not in a journal. */
function validate() {
  const { status: code, stderr } = spawnSync(join(checkout, 'bin/sampand'), ['--validate', '-H', 'fd://'], {
    encoding: 'utf8',
  });
  if (code !== 0) throw new SetupProblem(stderr.trim());
}

/** What systemd starts as root should be root's. */
function warnOfWriters() {
  for (let path = checkout; ; path = dirname(path)) {
    const { uid, mode } = statSync(path);
    if (uid !== 0 || ((mode & 0o022) !== 0 && (mode & 0o1000) === 0)) {
      console.log(`Note: ${path} can be changed by others than root, and what lies there now runs as root.`);
      return;
    }
    if (path === '/') return;
  }
}

function parseArguments(args) {
  const rest = [...args];
  const options = { target: '/', dockerAlias: false };
  const at = rest.indexOf('--root');
  if (at !== -1) [, options.target] = rest.splice(at, 2);
  const alias = rest.indexOf('--docker-alias');
  if (alias !== -1) options.dockerAlias = rest.splice(alias, 1).length === 1;
  if (rest.length !== 1 || !options.target?.startsWith('/')) throw new SetupProblem(USAGE);
  if (options.dockerAlias && rest[0] !== 'install') throw new SetupProblem(USAGE);
  return { verb: rest[0], options };
}

async function main() {
  const { verb, options } = parseArguments(process.argv.slice(2));
  const actions = { install, uninstall, status };
  if (!Object.hasOwn(actions, verb)) throw new SetupProblem(USAGE);
  if (verb !== 'status' && isLive(options.target)) {
    if (process.getuid() !== 0)
      throw new SetupProblem(`Only root may do that: sudo node scripts/systemd.mjs ${verb}`);
    if (!existsSync('/run/systemd/system'))
      throw new SetupProblem(
        'systemd does not run on this machine; `npm start` starts the engine without it.',
      );
  }
  await actions[verb](options);
}

if (process.argv[1]?.endsWith('systemd.mjs')) await runMain(main);
