/** A command of Docker's that is known and not there yet. */
export interface UnbuiltCommand {
  /** All the ways to say it; one word that is a noun stands for all its verbs. */
  paths: readonly string[];
  /** What does the same until then. */
  instead: string;
}

const PID = "$(sampan inspect -f '{{.State.Pid}}' CONTAINER)";
const SWARM = 'Swarm mode is not part of this engine.';
const PLUGIN = 'The stock docker client has this as a plugin; point it here with DOCKER_HOST.';

/** Looked at after the catalog: what stands there is built, whatever this list says. */
const UNBUILT: readonly UnbuiltCommand[] = [
  {
    paths: ['exec', 'container exec'],
    instead: `As root: nsenter -t ${PID} -a COMMAND`,
  },
  {
    paths: ['build', 'image build', 'builder', 'buildx'],
    instead:
      'Build elsewhere, push to a registry and pull from it, or import a root file system: sampan import.',
  },
  {
    paths: ['manifest create', 'manifest annotate', 'manifest push', 'manifest rm'],
    instead: 'Tools that speak to registries directly do it, such as skopeo, crane and oras.',
  },
  {
    paths: ['update', 'container update'],
    instead: 'Make the container anew with the limits that it shall have.',
  },
  {
    paths: ['volume create', 'volume update'],
    instead: 'Mount a folder of the host: sampan run -v /path/on/host:/path IMAGE',
  },
  {
    paths: ['network create', 'network connect', 'network disconnect', 'network rm', 'network prune'],
    instead: 'The networks bridge, host and none are there: sampan run --network NETWORK IMAGE',
  },
  { paths: ['system dial-stdio'], instead: 'Forward the socket: ssh -L ./s.sock:/run/sampan.sock HOST' },
  { paths: ['compose'], instead: PLUGIN },
  { paths: ['context'], instead: 'Choose an engine with -H or DOCKER_HOST.' },
  { paths: ['trust', 'plugin', 'checkpoint'], instead: 'Nothing here does the same.' },
  { paths: ['swarm', 'node', 'service', 'stack', 'secret', 'config'], instead: SWARM },
];

/** What the words name, if it is one of Docker's commands that has no file here yet. */
export function findUnbuilt(words: readonly string[]): { path: string; instead: string } | undefined {
  const [first = '', second = ''] = words;
  for (const path of [`${first} ${second}`, first]) {
    const found = UNBUILT.find(({ paths }) => paths.includes(path));
    if (found !== undefined) return { path, instead: found.instead };
  }
  return undefined;
}

/** Those of one word. */
export function unbuiltNames(): string[] {
  return UNBUILT.flatMap(({ paths }) => paths.filter((path) => !path.includes(' ')));
}
