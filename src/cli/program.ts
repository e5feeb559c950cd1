import type { Endpoint } from '../client/endpoint.ts';
import { EngineClient } from '../client/engine-client.ts';
import { EngineError, errnoCodeOf, messageOf } from '../errors/engine-error.ts';
import { describeError, ExitError } from './cli-error.ts';
import type { CatalogEntry, Command } from './command.ts';
import type { CliContext, GlobalOptions, Invocation } from './context.ts';
import { checkArguments, findCommand, type Target } from './dispatch.ts';
import { type ParsedFlags, parseFlags } from './flags/flag-set.ts';
import { didYouMean, UsageError } from './flags/usage-error.ts';
import { globalFlags, isLogLevel } from './global-flags.ts';
import {
  type ChosenHost,
  chooseHost,
  dialHost,
  type HostChoice,
  LOCAL_HOST,
  openTransport,
  stockDaemonHint,
} from './host.ts';
import { readStartConfig, type StartConfig } from './start-config.ts';
import type { Sink, Source } from './terminal/sink.ts';
import { CLIENT_VERSION } from './version.ts';

const USAGE_STATUS = 125;

/** What the operating system gives the program. */
export interface World {
  program: string;
  argv: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  stdin: Source;
  stdout: Sink;
  stderr: Sink;
}

/** What stands before the command, in the command line and in config.json. */
interface Start {
  globals: ParsedFlags;
  config: StartConfig;
}

/** Run one command line. @returns the exit status. */
export async function runProgram(world: World): Promise<number> {
  try {
    return await begin(world);
  } catch (error) {
    if (errnoCodeOf(error) === 'EPIPE') return 141;
    const text = describeError(error);
    if (text !== '') await world.stderr.write(`${text}\n`).catch(() => undefined);
    return error instanceof ExitError ? error.status : 1;
  }
}

async function begin(world: World): Promise<number> {
  const configDirectory = world.env.DOCKER_CONFIG || `${world.env.HOME ?? '/root'}/.docker`;
  const flags = globalFlags(configDirectory);
  let globals: ParsedFlags;
  try {
    globals = parseFlags(flags, world.argv, { interspersed: false });
  } catch (error) {
    return usageFailure(world, error, {
      usage: `Usage:  ${world.program} [OPTIONS] COMMAND [ARG...]`,
      path: '',
    });
  }
  await tellOfBriefHelp(world, globals);
  const start = { globals, config: await readStartConfig(globals.string('config')) };
  const { aliases } = start.config;
  if (aliases === undefined) return dispatch(world, start, globals.args);
  const { aliasedWords } = await import('./plugins/builder-alias.ts');
  const { words, plugin } = aliasedWords(globals.args, aliases);
  const before = world.argv.slice(0, world.argv.length - globals.args.length);
  const aliased = { ...world, argv: [...before, ...words] };
  if (plugin === undefined) return dispatch(aliased, start, words);
  return forward(aliased, start, words);
}

/** To the plugin that config.json names as builder. buildx's words are known here too. */
async function forward(world: World, start: Start, words: readonly string[]): Promise<number> {
  const [plugin = ''] = words;
  await tryPlugin(world, start, plugin);
  if (plugin === 'buildx') return dispatch(world, start, words);
  throw (await import('./plugins/builder-alias.ts')).builderMissing();
}

async function dispatch(world: World, start: Start, words: readonly string[]): Promise<number> {
  const { globals } = start;
  if (globals.bool('version')) return say(world, `Sampan version ${CLIENT_VERSION}\n`);
  if (!isLogLevel(globals.string('log-level')))
    throw new EngineError('invalid', `Unable to parse logging level: ${globals.string('log-level')}`);
  if (words[0] === '__complete' || words[0] === '__completeNoDesc') return complete(world, start, words);
  if (words.length === 0 || globals.bool('help') || (words[0] === 'help' && words.length === 1))
    return overview(world, globals);
  const asked = words[0] === 'help' ? words.slice(1) : words;
  if (mayBePlugin(asked)) await tryPlugin(world, start, asked[0] ?? '');
  if (words[0] === 'help') return help(world, asked);
  const target = findCommand(words);
  if (target.kind === 'unknown') return unknownCommand(world, target);
  if (target.kind === 'unbuilt') return unbuiltCommand(world, target);
  if (target.kind === 'noun') return showNoun(world, target);
  return runCommand(world, start, target);
}

async function overview(world: World, globals: ParsedFlags): Promise<number> {
  const { programHelp } = await import('./help.ts');
  const plugins = await pluginRows(globals);
  const flags = globalFlags(globals.string('config'));
  return say(
    world,
    programHelp({ program: world.program, columns: world.stdout.size().width }, { flags, plugins }),
  );
}

/** Global flags before the call, as those behind it, say which daemon is asked. */
async function complete(world: World, start: Start, args: readonly string[]): Promise<number> {
  const { globals, config } = start;
  const flags = globalFlags(globals.string('config'));
  const [call = '', ...asked] = args;
  const words = [...world.argv.slice(0, -args.length), ...asked];
  const meant = (): Start => ({
    globals: parseFlags(flags, words.slice(0, -1), { interspersed: false }),
    config,
  });
  if (asked.length > 1 && mayBePlugin(asked)) await tryPlugin(world, start, asked[0] ?? '');
  const { answerCompletion } = await import('./completion/answer-completion.ts');
  const place = {
    globals: flags,
    env: world.env,
    configDirectory: globals.string('config'),
    client: async () => (await connect(world, meant())).client,
    plugins: async () =>
      (await import('./plugins/plugin-metadata.ts')).usablePlugins({ globals: globalOptions(globals) }),
  };
  return answerCompletion([call, ...(asked.length === 0 ? [] : words)], {
    place,
    stdout: world.stdout,
    stderr: world.stderr,
  });
}

/** What isn't ours, and the words that a plugin of Docker's says better where it is installed. */
function mayBePlugin(words: readonly string[]): boolean {
  const { kind } = findCommand(words);
  return words[0] === 'buildx' || (words.length > 0 && (kind === 'unknown' || kind === 'unbuilt'));
}

/** Returns when there is no such plugin. */
async function tryPlugin(world: World, start: Start, name: string): Promise<void> {
  const { findPlugin } = await import('./plugins/find-plugin.ts');
  const plugin = await findPlugin({ globals: globalOptions(start.globals) }, name);
  if (plugin === undefined) return;
  const { runPlugin } = await import('./plugins/run-plugin.ts');
  await runPlugin(plugin, world.argv, hostChoice(world, start));
}

async function pluginRows(globals: ParsedFlags): Promise<{ name: string; short: string }[]> {
  const { usablePlugins } = await import('./plugins/plugin-metadata.ts');
  const plugins = await usablePlugins({ globals: globalOptions(globals) });
  return plugins.map(({ name, short }) => ({ name: `${name}*`, short }));
}

async function say(world: World, text: string): Promise<number> {
  await world.stdout.write(text);
  return 0;
}

async function help(world: World, words: readonly string[]): Promise<number> {
  const target = findCommand(words);
  if (target.kind === 'unknown') throw new EngineError('invalid', `unknown help topic: ${words.join(' ')}`);
  if (target.kind === 'noun') return showNoun(world, { ...target, asked: true });
  if (target.kind === 'unbuilt') return unbuiltCommand(world, target);
  return showCommand(world, { ...target, command: (await target.entry.load()).command });
}

async function showNoun(
  world: World,
  { name, args, asked = false }: { name: string; args: string[]; asked?: boolean },
): Promise<number> {
  try {
    await tellOfBriefHelp(world, parseFlags([], args, { interspersed: true }));
  } catch (error) {
    return usageFailure(world, error, { usage: `Usage:  ${world.program} ${name} COMMAND`, path: name });
  }
  const { nounHelp } = await import('./help.ts');
  const text = nounHelp(world.program, name);
  // Asked for, help is output; as the answer to a missing verb it isn't.
  if (args.length > 0 || asked) return say(world, text);
  await world.stderr.write(text);
  return 0;
}

async function showCommand(
  world: World,
  target: { path: string; entry: CatalogEntry; command: Command },
): Promise<number> {
  const { commandHelp } = await import('./help.ts');
  return say(world, commandHelp({ program: world.program, columns: world.stdout.size().width }, target));
}

async function unknownCommand(world: World, target: Target & { kind: 'unknown' }): Promise<number> {
  const { program } = world;
  const usage = target.noun === undefined ? '' : `\n\nUsage:  ${program} ${target.noun}`;
  const where = target.noun === undefined ? program : `${program} ${target.noun}`;
  const prefix = target.noun === undefined ? program : `${program} ${target.noun}`;
  const near = didYouMean(target.suggestions.map((name) => `${prefix} ${name}`));
  await world.stderr.write(
    `${program}: unknown command: ${program} ${target.path}${near}${usage}\n\nRun '${where} --help' for more information\n`,
  );
  return 1;
}

async function unbuiltCommand(world: World, target: Target & { kind: 'unbuilt' }): Promise<number> {
  const { program } = world;
  await world.stderr.write(
    `${program}: '${program} ${target.path}' is not implemented yet\n${target.instead}\n\nRun '${program} --help' for the commands that are there\n`,
  );
  return 1;
}

async function usageFailure(
  world: World,
  error: unknown,
  {
    usage,
    path,
    status = USAGE_STATUS,
    see = 'Run',
  }: { usage: string; path: string; status?: number; see?: string },
): Promise<number> {
  if (!(error instanceof UsageError)) throw error;
  const command = path === '' ? world.program : `${world.program} ${path}`;
  await world.stderr.write(
    `${error.message}${didYouMean(error.suggestions)}\n\n${usage}\n\n${see} '${command} --help' for more information\n`,
  );
  return status;
}

async function tellOfBriefHelp(world: World, { asksBriefly }: ParsedFlags): Promise<void> {
  if (asksBriefly) await world.stderr.write('Flag shorthand -h has been deprecated, use --help\n');
}

async function runCommand(
  world: World,
  start: Start,
  { entry, path, args }: { entry: CatalogEntry; path: string; args: string[] },
): Promise<number> {
  const { command } = await entry.load();
  const usage = async () => (await import('./help.ts')).usageLine(world.program, path, command);
  let flags: ParsedFlags;
  try {
    flags = parseFlags(command.flags, args, { interspersed: command.interspersed !== false });
  } catch (error) {
    return usageFailure(world, error, { usage: await usage(), path });
  }
  await tellOfBriefHelp(world, flags);
  if (flags.bool('help')) return showCommand(world, { path, entry, command });
  const { min, max } = command.args;
  try {
    checkArguments(flags.args.length, { program: world.program, path, min, max });
  } catch (error) {
    const see = max === undefined ? 'See' : 'Run';
    return usageFailure(world, error, { usage: await usage(), path, status: 1, see });
  }
  return execute(world, { start, command, flags, path });
}

async function execute(
  world: World,
  { start, command, flags, path }: { start: Start; command: Command; flags: ParsedFlags; path: string },
): Promise<number> {
  const { globals } = start;
  const { choice, host, client } = await connect(world, start, { local: command.local === true });
  const { endpoint } = host;
  const context: CliContext = {
    program: world.program,
    stdin: world.stdin,
    stdout: world.stdout,
    stderr: world.stderr,
    env: world.env,
    cwd: world.cwd,
    globals: globalOptions(globals),
    config: choice.config,
    client: () => client,
    endpoint: endpoint.url,
    hostChoice: choice,
    dial: () => dialHost(host, choice),
    now: () => Date.now() / 1000,
  };
  const invocation = { context, flags, args: flags.args, client, path };
  let failure = '';
  try {
    if (needsApi(command, flags)) {
      const { checkApiVersion } = await import('./check-api-version.ts');
      checkApiVersion(await client.apiVersion(), { command, flags, path: `${world.program} ${path}` });
    }
    client.presumeVersion();
    return await command.run(invocation);
  } catch (error) {
    failure = messageOf(error);
    throw await withHint(error, endpoint);
  } finally {
    await askHooks(invocation, command, failure);
  }
}

/** Of the plugins that want to advise after commands, on a terminal alone. */
async function askHooks(
  { context, path, flags }: Invocation,
  command: Command,
  failure: string,
): Promise<void> {
  const { config, env, stdout, stderr, globals } = context;
  if (config.plugins === undefined || !stdout.isTerminal) return;
  const { hooksEnabled, runHooks } = await import('./plugins/plugin-hooks.ts');
  if (!hooksEnabled(env, config)) return;
  const ran = { path, known: command.flags, flags, failure };
  await runHooks(ran, { plugins: config.plugins, globals, stderr });
}

/** The daemon that the flags mean, and a client of it. `local`: none is needed, whatever they say. */
async function connect(
  world: World,
  start: Start,
  { local = false }: { local?: boolean } = {},
): Promise<{ choice: HostChoice; host: ChosenHost; client: EngineClient }> {
  const choice = hostChoice(world, start);
  const { headers } = start.config;
  const host = local ? LOCAL_HOST : await resolveHost(choice);
  const client = new EngineClient(await openTransport(host, choice), {
    apiVersion: world.env.DOCKER_API_VERSION || undefined,
    userAgent: `Sampan-Client/${CLIENT_VERSION} (linux)`,
    ...(headers === undefined ? {} : { headers }),
  });
  return { choice, host, client };
}

/** Whether the daemon's version has to be asked before the command begins. */
function needsApi(command: Command, flags: ParsedFlags): boolean {
  return (
    command.sinceApi !== undefined ||
    command.flags.some((flag) => flag.sinceApi !== undefined && flags.changed(flag.name))
  );
}

/** A daemon that isn't there gets a word about the one that is. */
async function withHint(error: unknown, endpoint: Endpoint): Promise<unknown> {
  if (
    !(error instanceof EngineError) ||
    !/^(?:\w+: )?Cannot connect to the Docker daemon/.test(error.message)
  )
    return error;
  const hint = await stockDaemonHint(endpoint);
  if (hint === '') return error;
  const message = `${error.message}\n${hint}`;
  return error instanceof ExitError
    ? new ExitError(error.status, message)
    : new EngineError(error.kind, message);
}

function globalOptions(globals: ParsedFlags): GlobalOptions {
  return {
    configDirectory: globals.string('config'),
    debug: globals.bool('debug'),
    logLevel: globals.string('log-level'),
  };
}

function hostChoice(world: World, { globals, config }: Start): HostChoice {
  const certificates = world.env.DOCKER_CERT_PATH || globals.string('config');
  const pem = (flag: string, name: string) =>
    globals.changed(flag) ? globals.string(flag) : `${certificates}/${name}`;
  return {
    program: world.program,
    configDirectory: globals.string('config'),
    config,
    hosts: globals.list('host'),
    context: globals.string('context'),
    tls: globals.bool('tls') || (world.env.DOCKER_TLS ?? '') !== '',
    tlsVerify: globals.changed('tlsverify')
      ? globals.bool('tlsverify')
      : (world.env.DOCKER_TLS_VERIFY ?? '') !== '',
    tlsCaCert: pem('tlscacert', 'ca.pem'),
    tlsCert: pem('tlscert', 'cert.pem'),
    tlsKey: pem('tlskey', 'key.pem'),
    env: world.env,
  };
}

async function resolveHost(choice: HostChoice): Promise<ChosenHost> {
  try {
    return await chooseHost(choice);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    const hint = error.hint === undefined ? '' : `\n${error.hint}`;
    const prefix = /^(?:unable to resolve|ssh host connection|conflicting options)/.test(error.message)
      ? ''
      : 'unable to resolve docker endpoint: ';
    const begun = error.message.startsWith('conflicting options') ? '' : 'Failed to initialize: ';
    throw new ExitError(1, `${begun}${prefix}${messageOf(error)}${hint}`);
  }
}
