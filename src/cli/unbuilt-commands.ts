/** A command of Docker's that is known and not there yet. */
export interface UnbuiltCommand {
  /** All the ways to say it; one word that is a noun stands for all its verbs. */
  paths: readonly string[];
  /** What does the same until then. */
  instead: string;
}

const SWARM = 'Swarm mode is not part of this engine.';
const PLUGIN = 'The stock docker client has this as a plugin; point it here with DOCKER_HOST.';

/** Looked at after the catalog: what stands there is built, whatever this list says. */
const UNBUILT: readonly UnbuiltCommand[] = [
  { paths: ['volume update'], instead: `It is for volumes of a cluster. ${SWARM}` },
  { paths: ['compose'], instead: PLUGIN },
  { paths: ['completion powershell'], instead: 'There is one for bash, for zsh and for fish.' },
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
