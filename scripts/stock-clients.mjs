// Other people's clients, for the tests: unpacked into `.cache/stock-clients`, not installed, since some packages would bring iptables or another engine along.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { step } from './progress.mjs';

const PLUGINS = 'usr/libexec/docker/cli-plugins';
/**
 * Where a program lies, and the packages that hold it. What is in newer suites than Debian 12 runs on any, being static. `sid`: what the older suite
 * has by that name is another program. `one|other`: as the suite calls it. `version`: the only one that will do, in a folder of its own beside the others; of its packages
 * only that file, unless `whole`.
 */
const CLIENTS = [
  { file: 'usr/bin/skopeo', packages: ['skopeo', 'libgpgme11|libgpgme11t64'] },
  { file: 'usr/bin/crane', packages: ['crane'] },
  { file: 'usr/bin/oras', packages: ['oras'] },
  { file: `${PLUGINS}/docker-buildx`, packages: ['docker-buildx'], sid: true },
  { file: `${PLUGINS}/docker-compose`, packages: ['docker-compose'], sid: true },
  { file: 'usr/bin/docker', packages: ['docker.io'], version: '20.10' },
  {
    file: 'usr/bin/docker-compose',
    packages: [
      'docker-compose',
      ...[
        'attr',
        'distro',
        'dockerpty',
        'docopt',
        'dotenv',
        'jsonschema',
        'pkg-resources',
        'pyrsistent',
        'texttable',
        'yaml',
      ].map((name) => `python3-${name}`),
    ],
    version: '1.29',
    whole: true,
  },
  {
    file: 'usr/lib/python3/dist-packages/docker/__init__.py',
    packages: ['docker', 'requests', 'urllib3', 'websocket', 'six', 'idna', 'chardet', 'certifi'].map(
      (name) => `python3-${name}`,
    ),
  },
];
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** What can't be had is said and left out: the tests that want it say so too. */
export async function unpackStockClients(root) {
  for (const { file, packages, sid = false, version, whole = version === undefined } of CLIENTS) {
    const into = join(root, `.cache/stock-clients${version === undefined ? '' : `-${version}`}`);
    if (existsSync(join(into, file))) continue;
    try {
      if (version !== undefined && !candidate(packages[0]).startsWith(`${version}.`))
        throw new Error(`the package ${packages[0]} is not ${version} here`);
      await unpack(packages, { into, sid, only: whole ? '' : file });
    } catch (error) {
      const name = version === undefined ? file.replace('/__init__.py', '') : `${file} ${version}`;
      console.log(`The tests go without ${basename(name)}: ${error.message.split('\n')[0]}`);
    }
  }
  rmSync(join(root, '.cache/sid'), { recursive: true, force: true });
}

/** `only`: nothing else of the packages, a path. */
async function unpack(named, { into, sid, only }) {
  const packages = named.map((names) => names.split('|').find(hasCandidate) ?? names.split('|')[0]);
  const cache = join(into, '..');
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, 'clients-'));
  try {
    const options = !sid && packages.every(hasCandidate) ? [] : await listsOfSid(cache);
    await step(`Fetching ${packages.join(' ')}`, 'apt-get', [...options, 'download', '-qq', ...packages], {
      cwd: work,
    });
    mkdirSync(join(work, 'root'));
    for (const archive of readdirSync(work).filter((name) => name.endsWith('.deb')))
      await step(`Unpacking ${archive}`, 'dpkg-deb', ['-x', join(work, archive), join(work, 'root')]);
    mkdirSync(into, { recursive: true });
    // One tree beside the other: each client is found where its package puts it.
    const from = only === '' ? ['-a', `${join(work, 'root')}/.`] : ['--parents', '-a', only];
    await step('Placing the client', 'cp', [...from, into], { cwd: join(work, 'root') });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Package lists of Debian's unstable suite, from the mirror that this machine uses, in a folder of their own: apt's stay as they are. */
async function listsOfSid(cache) {
  const state = join(cache, 'sid');
  const options = [
    `Dir::Etc::SourceList=${state}/sources.list`,
    'Dir::Etc::SourceParts=/dev/null',
    `Dir::State::Lists=${state}/lists`,
    `Dir::Cache=${state}/cache`,
    'APT::Sandbox::User=root',
  ].flatMap((option) => ['-o', option]);
  if (existsSync(join(state, 'ready'))) return options;
  const uri = mirror();
  mkdirSync(join(state, 'lists/partial'), { recursive: true });
  mkdirSync(join(state, 'cache/archives/partial'), { recursive: true });
  writeFileSync(join(state, 'sources.list'), `deb [signed-by=${KEYRING}] ${uri} sid main\n`);
  await step("Reading sid's package lists", 'apt-get', [...options, 'update', '-qq']);
  writeFileSync(join(state, 'ready'), '');
  return options;
}

function mirror() {
  const { stdout } = spawnSync(
    'apt-get',
    ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages'],
    {
      encoding: 'utf8',
    },
  );
  const found = (stdout ?? '').split('\n').find((uri) => /\/debian\/?$/.test(uri));
  if (found === undefined) throw new Error('no mirror of Debian is configured');
  return found;
}

function hasCandidate(name) {
  return !/^(\(none\))?$/.test(candidate(name));
}

/** The version that would be fetched. */
function candidate(name) {
  const { stdout } = spawnSync('apt-cache', ['policy', name], { encoding: 'utf8' });
  return /Candidate: (\S+)/.exec(stdout ?? '')?.[1] ?? '';
}
