#!/usr/bin/env node
// `npm start`: from a fresh machine to a container that has run. Each step says what happened; a step that is done already is passed over.
import { spawn, spawnSync } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { step } from './progress.mjs';
import { runMain, SetupProblem, setup } from './setup.mjs';
import { findBun, root } from './toolchain.mjs';

const SOCKET = '/run/sampan.sock';
const DATA_ROOT = '/var/lib/sampan';
const CONFIG = '/etc/sampan/daemon.json';
const LOG = '/var/log/sampan.log';
const IMAGE = 'hello-world';
const REGISTRY_PORT = 5050;

const sampan = join(root, 'bin/sampan');

async function main() {
  if (process.getuid?.() !== 0) throw new SetupProblem('The engine needs root: run `sudo npm start`.');
  await setup();
  say('Set-up', 'everything that the engine needs is installed');
  if (await isRunning()) {
    say('Engine', `runs already, on ${SOCKET}`);
  } else {
    const registry = await configure();
    if (registry !== undefined) await seed();
    await startDaemon();
    say('Engine', `started in the background on ${SOCKET}; its log is ${LOG}`);
  }
  await helloWorld();
  console.log(`
Type next:
  ${command()} run -it --rm busybox sh      a shell in a container
  ${command()} images                       what is here
  export DOCKER_HOST=unix://${SOCKET}   and the stock docker client works too`);
}

function command() {
  return process.cwd() === root ? 'bin/sampan' : sampan;
}

function say(what, text) {
  console.log(`${`${what}:`.padEnd(8)} ${text}`);
}

async function isRunning() {
  return await new Promise((resolve) => {
    const request = http.get({ socketPath: SOCKET, path: '/_ping', timeout: 3000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('error', () => resolve(false));
    request.on('timeout', () => request.destroy());
  });
}

/** Without a configuration of the user's, and without internet, the embedded registry becomes the first mirror of docker.io. */
async function configure() {
  if (existsSync(CONFIG)) return parse(CONFIG)['embedded-registry'];
  if (await hubIsReachable()) {
    say('Mirror', 'docker.io can be reached; the embedded registry is not needed');
    return undefined;
  }
  const address = `127.0.0.1:${await freePort(REGISTRY_PORT)}`;
  const mirrors = existsSync('/etc/docker/daemon.json')
    ? (parse('/etc/docker/daemon.json')['registry-mirrors'] ?? [])
    : [];
  mkdirSync('/etc/sampan', { recursive: true });
  const config = { 'registry-mirrors': [`http://${address}`, ...mirrors], 'embedded-registry': address };
  writeFileSync(CONFIG, `${JSON.stringify(config, undefined, 2)}\n`);
  say(
    'Mirror',
    `docker.io cannot be reached; the embedded registry on ${address} is its first mirror (${CONFIG})`,
  );
  return address;
}

function parse(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new SetupProblem(`Cannot read ${path}: ${error.message}`);
  }
}

async function hubIsReachable() {
  const host = 'registry-1.docker.io';
  const found = await Promise.race([
    lookup(host).then(
      () => true,
      () => false,
    ),
    new Promise((resolve) => setTimeout(() => resolve(false), 3000)),
  ]);
  if (!found) return false;
  return await new Promise((resolve) => {
    const socket = net.connect({ host, port: 443, timeout: 3000 }, () => (socket.destroy(), resolve(true)));
    socket.on('error', () => resolve(false));
    socket.on('timeout', () => (socket.destroy(), resolve(false)));
  });
}

async function freePort(first) {
  for (let port = first; port < first + 50; port++) {
    const free = await new Promise((resolve) => {
      const server = net.createServer();
      server.on('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
  throw new SetupProblem(
    `No free port between ${first} and ${first + 49} for the embedded registry. Write one into ${CONFIG}.`,
  );
}

async function seed() {
  const printed = await step('Making the seed images', findBun(), [
    join(root, 'scripts/seed/seed.ts'),
    DATA_ROOT,
  ]);
  for (const line of printed.trim().split('\n'))
    say('Seed', line.replace('library/', '').replace(/(sha256:.{12}).*/, '$1'));
}

async function startDaemon() {
  const log = openSync(LOG, 'a', 0o640);
  const child = spawn(join(root, 'bin/sampand'), [], {
    detached: true,
    stdio: ['ignore', log, log],
    cwd: '/',
  });
  let ended = false;
  child.on('exit', () => (ended = true));
  child.unref();
  for (let waited = 0; waited < 300 && !ended; waited++) {
    if (await isRunning()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const tail = readFileSync(LOG, 'utf8').trim().split('\n').slice(-3).join('\n  ');
  throw new SetupProblem(
    `The engine did not start. The end of ${LOG}:\n  ${tail}\nWhat may be wrong: ${command()} doctor`,
  );
}

async function helloWorld() {
  const options = { stdio: 'inherit', env: { ...process.env, DOCKER_HOST: `unix://${SOCKET}` } };
  const present =
    spawnSync(sampan, ['image', 'inspect', IMAGE], { ...options, stdio: 'ignore' }).status === 0;
  if (present) {
    say('Image', `${IMAGE} is here`);
  } else {
    say('Pull', `${IMAGE}, by its plain name`);
    if (spawnSync(sampan, ['pull', IMAGE], options).status !== 0)
      throw new SetupProblem(`Cannot pull ${IMAGE}; the line above says why.`);
  }
  say('Run', `${command()} run --rm ${IMAGE}`);
  if (spawnSync(sampan, ['run', '--rm', IMAGE], options).status !== 0)
    throw new SetupProblem(`Cannot run ${IMAGE}; the line above says why.`);
}

await runMain(main);
