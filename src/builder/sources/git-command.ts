import { EngineError } from '../../errors/engine-error.ts';
import { run } from '../../sys/spawn.ts';
import type { GitAccess } from './git-access.ts';
import { shownRemote } from './git-reference.ts';

export interface GitRunOptions extends GitAccess {
  signal: AbortSignal;
  cwd: string;
  remote: string;
}

/** What a repository must not have done: run hooks, helpers or filters, ask, or reach files of this host. */
const SETTINGS: readonly (readonly [string, string])[] = [
  ['core.hooksPath', '/dev/null'],
  ['core.fsmonitor', 'false'],
  ['core.askPass', ''],
  ['credential.helper', ''],
  ['protocol.allow', 'never'],
  ['protocol.http.allow', 'always'],
  ['protocol.https.allow', 'always'],
  ['protocol.git.allow', 'always'],
  ['protocol.ssh.allow', 'always'],
  ['gc.auto', '0'],
  ['advice.detachedHead', 'false'],
  ['init.defaultBranch', 'master'],
];

/**
 * Run the host's git: no configuration but ours, no hooks, no prompts, nobody's credentials, umask 022.
 *
 * @returns what it printed. @throws EngineError "unavailable" where there is no git; "invalid" with its words; the signal's reason.
 */
export async function git(words: readonly string[], options: GitRunOptions): Promise<string> {
  const program = Bun.which('git');
  if (program === null)
    throw new EngineError(
      'unavailable',
      `Cannot fetch ${shownRemote(options.remote)}: there is no git on this host`,
      {
        hint: 'Install git, or put it on the PATH of the daemon.',
      },
    );
  const { address } = apart(options.remote);
  const shown = words.map((word) => (word === options.remote ? address : word));
  // A child's umask can't be set otherwise.
  const command = ['/bin/sh', '-c', 'umask 022; exec "$@"', 'sh', program, ...shown];
  const { signal, cwd } = options;
  const { exitCode, stdout, stderr } = await run(command, { signal, cwd, env: environment(options) });
  if (exitCode === 0) return stdout;
  const said = stderr.replaceAll(options.remote, shownRemote(options.remote)).trim();
  throw new EngineError(
    'invalid',
    `failed to fetch remote ${shownRemote(options.remote)}: git: ${said.slice(0, 2000)}`,
  );
}

/** The remote without the name and password in it: everybody on this host can read the words of a command. */
function apart(remote: string): { address: string; login: string | undefined } {
  const [, scheme = '', userinfo = '', rest = ''] = /^(https?:\/\/)([^/@]*)@(.*)$/i.exec(remote) ?? [];
  if (!userinfo.includes(':')) return { address: remote, login: undefined };
  return { address: scheme + rest, login: decoded(userinfo) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function environment({ authorization, agent, remote }: GitRunOptions): Record<string, string> {
  const settings = [...SETTINGS];
  const { login } = apart(remote);
  const header = login === undefined ? authorization : `basic ${Buffer.from(login).toString('base64')}`;
  // In the environment, which other users can't read, and for this remote alone.
  if (header !== undefined && URL.canParse(remote))
    settings.push([`http.${new URL(remote).origin}/.extraHeader`, `Authorization: ${header}`]);
  const config = settings.flatMap(([key, value], at) => [
    [`GIT_CONFIG_KEY_${at}`, key],
    [`GIT_CONFIG_VALUE_${at}`, value],
  ]);
  const proxies = Object.entries(process.env).flatMap(([key, value]) =>
    /^(https?|all|no)_proxy$/i.test(key) && value !== undefined ? [[key, value]] : [],
  );
  return {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    HOME: '/nonexistent',
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '/bin/false',
    // As BuildKit where it was told of no known hosts.
    GIT_SSH_COMMAND:
      'ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null',
    ...(agent === undefined ? {} : { SSH_AUTH_SOCK: agent }),
    GIT_CONFIG_COUNT: String(settings.length),
    ...Object.fromEntries([...config, ...proxies]),
  };
}
