import { CATALOG, NOUNS } from '../../src/cli/catalog.ts';
import type { CatalogEntry, Command } from '../../src/cli/command.ts';
import type { Flag } from '../../src/cli/flags/flag.ts';
import { flagDefault, flagNames } from '../../src/cli/flags/flag-usages.ts';
import { globalFlags } from '../../src/cli/global-flags.ts';
import { daemonFlags } from '../../src/daemon/daemon-settings.ts';
import { roffHead, roffParagraphs, roffSection, roffText, roffVerbatim } from './roff.ts';

export interface Edition {
  version: string;
  /** `2026-01-31`. */
  date: string;
}

/** Pages by their file's name: one for each command, its other names leading to it, one for each noun, for the program and the daemon. */
export async function manual(edition: Edition): Promise<Map<string, string>> {
  const pages = new Map<string, string>([
    ['sampan.1', programPage(edition)],
    ['sampand.8', daemonPage(edition)],
  ]);
  for (const noun of NOUNS) pages.set(`${pageName(noun.name)}.1`, nounPage(noun, edition));
  for (const entry of CATALOG) {
    const [path = '', ...aliases] = entry.paths;
    const { command } = await entry.load();
    pages.set(`${pageName(path)}.1`, commandPage({ path, entry, command }, edition));
    for (const alias of aliases) pages.set(`${pageName(alias)}.1`, `.so man1/${pageName(path)}.1\n`);
  }
  return pages;
}

function pageName(path: string): string {
  return `sampan-${path.replaceAll(' ', '-')}`;
}

function commandPage(
  { path, entry, command }: { path: string; entry: CatalogEntry; command: Command },
  edition: Edition,
): string {
  const noun = path.includes(' ') ? [pageName(path.split(' ')[0] ?? '')] : [];
  const examples = (command.examples ?? []).map((example) => `sampan ${example}`);
  return [
    roffHead({ name: pageName(path), section: 1, ...edition }),
    // Every name, so that whatis(1) finds the page by any.
    roffSection(
      'Name',
      `${entry.paths.map((each) => roffText(pageName(each))).join(', ')} \\- ${roffText(entry.short)}\n`,
    ),
    roffSection('Synopsis', synopsis(command.usage, path)),
    roffSection('Description', roffParagraphs(command.long ?? sentence(entry.short))),
    roffSection('Options', options(command.flags)),
    roffSection('Aliases', aliases(entry.paths)),
    roffSection('Examples', examples.length === 0 ? '' : roffVerbatim(examples)),
    seeAlso([...noun, 'sampan']),
  ].join('');
}

function synopsis(usage: string, path: string): string {
  return usage
    .split('\n')
    .map((line) => `.B ${roffText(`sampan ${path}`)}\n${line === '' ? '' : `${roffText(line)}\n`}`)
    .join('.br\n');
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function options(flags: readonly Flag[]): string {
  return flags
    .filter((flag) => flag.hidden !== true)
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
    .map((flag) => {
      const { names, type } = flagNames(flag);
      const shown = names.map((name) => `\\fB${roffText(name)}\\fR`).join(', ');
      const value = type === '' ? '' : ` \\fI${roffText(type)}\\fR`;
      return `.TP\n${shown}${value}\n${roffText(flag.usage + flagDefault(flag))}\n`;
    })
    .join('');
}

function aliases(paths: readonly string[]): string {
  return paths.length < 2 ? '' : `${paths.map((path) => roffText(`sampan ${path}`)).join(', ')}\n`;
}

function seeAlso(names: readonly string[], section = 1): string {
  const list = names.map((name) => `.BR ${roffText(name)} (${section})`);
  return roffSection('See also', `${list.join(',\n')}\n`);
}

function listing(rows: readonly { name: string; short: string }[]): string {
  return rows
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
    .map(({ name, short }) => `.TP\n.BR ${roffText(pageName(name))} (1)\n${roffText(sentence(short))}\n`)
    .join('');
}

function nounPage({ name, short }: { name: string; short: string }, edition: Edition): string {
  const verbs = CATALOG.flatMap(({ paths: [path = ''], short: about }) =>
    path.startsWith(`${name} `) ? [{ name: path, short: about }] : [],
  );
  return [
    roffHead({ name: pageName(name), section: 1, ...edition }),
    roffSection('Name', `${roffText(pageName(name))} \\- ${roffText(short)}\n`),
    roffSection('Synopsis', `.B ${roffText(`sampan ${name}`)}\n.I COMMAND\n`),
    roffSection('Commands', listing(verbs)),
    seeAlso(['sampan']),
  ].join('');
}

const ENVIRONMENT: readonly (readonly [name: string, about: string])[] = [
  ['DOCKER_HOST', 'The socket of the daemon, as -H takes it.'],
  ['DOCKER_CONTEXT', 'The context that names the daemon; overridden by DOCKER_HOST and -H.'],
  ['DOCKER_CONFIG', 'The folder of the client configuration.'],
  ['DOCKER_API_VERSION', 'The API version to speak, for debugging.'],
  ['DOCKER_TLS_VERIFY', 'Use TLS and verify the daemon, if not empty.'],
  ['DOCKER_CERT_PATH', 'The folder of ca.pem, cert.pem and key.pem.'],
];

function programPage(edition: Edition): string {
  const single = CATALOG.flatMap(({ paths, short, group }) =>
    group === undefined ? [] : [{ name: paths.at(-1) ?? '', short }],
  );
  const variables = ENVIRONMENT.map(([name, about]) => `.TP\n.B ${name}\n${roffText(about)}\n`).join('');
  return [
    roffHead({ name: 'sampan', section: 1, ...edition }),
    roffSection('Name', 'sampan \\- containers, images and networks, from the command line\n'),
    roffSection('Synopsis', `.B sampan\n${roffText('[OPTIONS] COMMAND [ARG...]')}\n`),
    roffSection(
      'Description',
      roffParagraphs("The client of sampand(8), and of any daemon that speaks Docker's API."),
    ),
    roffSection('Options', options(globalFlags('~/.docker'))),
    roffSection('Management commands', listing(NOUNS)),
    roffSection('Commands', listing(single)),
    roffSection('Environment', variables),
    seeAlso(['sampand'], 8),
  ].join('');
}

const FILES: readonly (readonly [path: string, about: string])[] = [
  ['/etc/sampan/daemon.json', 'The configuration; where it is missing, /etc/docker/daemon.json is read.'],
  ['/etc/default/sampan', 'Flags for the service.'],
  ['/var/lib/sampan', 'Images, containers and volumes.'],
  ['/run/sampan', 'What belongs to running containers.'],
  ['/run/sampan.sock', 'The socket.'],
];

function daemonPage(edition: Edition): string {
  const files = FILES.map(([path, about]) => `.TP\n.I ${roffText(path)}\n${roffText(about)}\n`).join('');
  const signals = [
    '.TP\n.B SIGHUP\nReads mirrors and insecure registries of the configuration anew.\n',
    '.TP\n.B SIGTERM\nEnds the daemon; containers run on, and are found again at the next start.\n',
  ];
  return [
    roffHead({ name: 'sampand', section: 8, ...edition }),
    roffSection('Name', "sampand \\- a container engine behind Docker's API\n"),
    roffSection(
      'Synopsis',
      `.B sampand\n${roffText('[OPTIONS]')}\n.br\n.B sampand registry\n${roffText('serve|ls|gc [OPTIONS]')}\n`,
    ),
    roffSection(
      'Description',
      roffParagraphs(
        'Keeps images, containers, networks and volumes for the clients of its sockets. Every flag but a few is a key of daemon.json too.\n\nsampand registry serves a registry alone, without an engine: see sampan-registry-serve(1).',
      ),
    ),
    roffSection('Options', options(daemonFlags)),
    roffSection('Signals', signals.join('')),
    roffSection('Files', files),
    seeAlso(['sampan']),
  ].join('');
}
