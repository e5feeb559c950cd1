import {
  type Completion,
  Directive,
  FILES,
  NOTHING,
  type Question,
  type Source,
  valuesOf,
} from './completion.ts';
import {
  CAPABILITIES,
  EVENT_FILTERS,
  EVENT_TYPES,
  LOG_OPTIONS,
  PLATFORMS,
  RESTART_POLICIES,
  SIGNALS,
  ULIMITS,
} from './known-words.ts';
import {
  containerNames,
  contextNames,
  driverNames,
  imageNames,
  namespaceOf,
  networkNames,
  volumeNames,
} from './object-names.ts';

const words =
  (values: readonly string[], directive?: number): Source =>
  () =>
    valuesOf(values, directive);

const files: Source = () => FILES;

/** By the flag's name, whatever the command. */
const SOURCES: Readonly<Record<string, Source>> = {
  attach: words(['stderr', 'stdin', 'stdout']),
  'cap-add': words(CAPABILITIES),
  'cap-drop': words(CAPABILITIES),
  cgroupns: words(['host', 'private']),
  context: contextNames,
  'detach-keys': words(['ctrl-'], Directive.noSpace),
  ipc: namespaceOf(['host', 'none', 'private', 'shareable']),
  link: async (question) => withEnding(await containerNames()(question), ':'),
  'log-driver': driverNames('Log'),
  'log-level': words(['debug', 'info', 'warn', 'error', 'fatal', 'panic']),
  'log-opt': words(LOG_OPTIONS, Directive.noSpace),
  pid: namespaceOf(['host']),
  platform: words(PLATFORMS),
  pull: words(['always', 'missing', 'never']),
  restart: words(RESTART_POLICIES),
  'security-opt': words(['apparmor=', 'label=', 'no-new-privileges', 'seccomp=', 'systempaths=unconfined']),
  signal: words(SIGNALS),
  'stop-signal': words(SIGNALS),
  'storage-opt': words(['size='], Directive.noSpace),
  ulimit: words(ULIMITS, Directive.noSpace),
  userns: words(['host']),
  uts: words(['host']),
  'volume-driver': driverNames('Volume'),
  'volumes-from': containerNames(),
};

/** Where a flag's name alone doesn't tell. */
const OF_COMMAND: Readonly<Record<string, Source>> = {
  'system events --filter': eventFilters,
  'inspect --type': words(['container', 'image', 'network', 'volume']),
  'image build --call': words(['build', 'check', 'outline', 'targets']),
  'image build --network': words(['default', 'host', 'none']),
  'image build --progress': words(['auto', 'plain', 'quiet', 'rawjson', 'tty']),
  'context create --from': contextNames,
};

const ENVIRONMENT = ['env', 'build-arg'];
const NETWORKS = ['network', 'net'];
/** Those of a new container whose value is a file. */
const FILE_FLAGS = ['cidfile', 'env-file', 'label-file'];

/** What the value of a flag may be. `path`: the command's first name. */
export function flagSource(path: string, flag: string): Source {
  const found = OF_COMMAND[`${path} --${flag}`] ?? SOURCES[flag];
  if (found !== undefined) return found;
  const isNew = path === 'container run' || path === 'container create';
  if (ENVIRONMENT.includes(flag)) return ({ env }) => valuesOf(Object.keys(env));
  if (isNew && NETWORKS.includes(flag)) return networkChoice;
  if (isNew && !FILE_FLAGS.includes(flag)) return () => NOTHING;
  return files;
}

/** The networks there are, or another container's. */
async function networkChoice(question: Question): Promise<Completion> {
  return question.typed.startsWith('container:') ? namespaceOf([])(question) : networkNames(question);
}

function withEnding({ values }: Completion, ending: string): Completion {
  return { values: values.map((value) => value + ending), directive: Directive.noSpace };
}

const FILTERED: Readonly<Record<string, Source>> = {
  container: containerNames(),
  image: imageNames,
  network: networkNames,
  volume: volumeNames,
  type: words(EVENT_TYPES),
  scope: words(['local', 'swarm']),
};

async function eventFilters(question: Question): Promise<Completion> {
  const at = question.typed.indexOf('=');
  if (at < 0) return valuesOf(EVENT_FILTERS, Directive.noSpace);
  const key = question.typed.slice(0, at);
  const { values } = (await FILTERED[key]?.({ ...question, args: [] })) ?? NOTHING;
  return valuesOf(values.map((value) => `${key}=${value}`));
}
