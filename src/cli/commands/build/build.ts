import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ApiError } from '../../../client/api-error.ts';
import { EngineError } from '../../../errors/engine-error.ts';
import { parseReference } from '../../../oci/reference.ts';
import {
  BUILD_BODY_TYPE,
  type BuildErrorJson,
  type BuildMessage,
  type BuildRequestJson,
} from '../../../wire/build.ts';
import { parseByteSize } from '../../../wire/byte-size.ts';
import { ExitError } from '../../cli-error.ts';
import type { Command } from '../../command.ts';
import type { CliContext, Invocation } from '../../context.ts';
import { registryConfig } from '../../credentials/registry-config.ts';
import type { ParsedFlags } from '../../flags/flag-set.ts';
import { proxyVariables } from '../../proxy-variables.ts';
import { withInterrupt } from '../../terminal/interrupt.ts';
import { parseUlimit } from '../container/create-options/ulimits.ts';
import { bodyOf, type Part } from './body-parts.ts';
import { BUILD_FLAGS } from './build-flags.ts';
import { attestationsOf, cacheEntries } from './build-options.ts';
import { type WantedOutput, wantedOutputs } from './build-outputs.ts';
import { namedContexts, type PreparedContext, prepareContext, secretParts } from './build-parts.ts';
import { claimDirectories } from './claim-directory.ts';
import { ClientCalls } from './client-calls.ts';
import { ClientLayouts } from './client-layouts.ts';
import { errorText, warningsText } from './error-text.ts';
import { canDebug, openFailureTerminal } from './failure-terminal.ts';
import { ForwardedAgents } from './forwarded-agents.ts';
import { LiveProgress } from './live-progress.ts';
import { type BuildProgress, PlainProgress } from './plain-progress.ts';

export const command: Command = {
  usage: '[OPTIONS] PATH | URL | -',
  flags: BUILD_FLAGS,
  args: { min: 1, max: 1 },
  examples: [
    'build -t app .',
    'build -t app:test --target test --build-arg VERSION=2 .',
    'build --output out --target binaries https://github.com/someone/something.git',
    'build --explain -f other.Dockerfile .',
    'build --debug .',
  ],
  async run(invocation) {
    const { context, flags, args } = invocation;
    refuseUnbuilt(flags);
    const prepared = await prepareContext(context, args[0] ?? '', flags);
    const outputs = wantedOutputs(flags);
    const layouts = new ClientLayouts(context);
    layouts.outputs(outputs);
    const { named, parts } = await namedContexts(context, flags, layouts);
    const agents = await ForwardedAgents.open(context, flags.list('ssh'));
    const given = requestOf(flags, { prepared, outputs, named, context });
    const request = {
      ...given,
      debug: await canDebug(context, flags),
      cacheFrom: await layouts.cacheFrom(given.cacheFrom),
      cacheTo: layouts.cacheTo(given.cacheTo),
      agents: agents.ids,
    };
    const head: Part[] = [
      { name: 'request', data: [Buffer.from(JSON.stringify(request))] },
      ...(prepared.file === undefined ? [] : [{ name: 'dockerfile', data: [prepared.file] }]),
      ...(await secretParts(context, flags)),
    ];
    const contexts = [...prepared.parts, ...parts];
    return await withInterrupt(async (signal) => {
      const one = { request, outputs, prepared, layouts, agents, signal };
      const claims = await claimDirectories(contexts, invocation.client.builds);
      const code =
        claims === undefined
          ? undefined
          : await build(invocation, { ...one, body: [...head, ...claims] }, true);
      return code ?? (await build(invocation, { ...one, body: [...head, ...contexts] }, false)) ?? 1;
    });
  },
};

interface Build {
  request: BuildRequestJson;
  body: Part[];
  outputs: WantedOutput[];
  prepared: PreparedContext;
  layouts: ClientLayouts;
  agents: ForwardedAgents;
  signal: AbortSignal;
}

/** What another builder would take and this one can't yet: never passed over in silence. */
function refuseUnbuilt(flags: ParsedFlags): void {
  const { call, format } = callOf(flags);
  if (!['text', 'json'].includes(format)) throw new EngineError('invalid', `unsupported format ${format}`);
  if (!['build', 'check', 'lint', 'outline', 'targets'].includes(call))
    throw new EngineError('not-implemented', `--call=${call} is not implemented yet`);
}

/** `outline,format=json` */
function callOf(flags: ParsedFlags): { call: string; format: string } {
  const [call = 'build', ...fields] = flags.string('call').split(',');
  const format = fields.find((field) => field.startsWith('format='))?.slice('format='.length) ?? 'text';
  return { call, format };
}

function isDescription(call: string): boolean {
  return call === 'outline' || call === 'targets';
}

function requestOf(
  flags: ParsedFlags,
  parts: {
    prepared: PreparedContext;
    outputs: readonly WantedOutput[];
    named: BuildRequestJson['namedContexts'];
    context: CliContext;
  },
): BuildRequestJson {
  const { prepared, outputs, named, context } = parts;
  const network = flags.string('network');
  const epoch = context.env['SOURCE_DATE_EPOCH'] ?? '';
  const platforms = flags.list('platform');
  const platform = context.env.DOCKER_DEFAULT_PLATFORM ?? '';
  for (const name of flags.list('tag')) parseReference(name);
  return {
    context: prepared.context,
    dockerfile: prepared.dockerfile,
    namedContexts: named,
    target: flags.string('target'),
    platforms: platforms.length > 0 ? platforms : platform === '' ? [] : [platform],
    buildArgs: buildArgs(flags, context),
    labels: flags.map('label'),
    noCache: flags.bool('no-cache'),
    noCacheStages: flags.list('no-cache-filter'),
    pull: flags.bool('pull'),
    outputs: outputs.map(({ json }) => json),
    cacheFrom: cacheEntries(flags, 'cache-from'),
    cacheTo: cacheEntries(flags, 'cache-to'),
    attestations: attestationsOf(flags),
    network,
    extraHosts: flags.list('add-host'),
    limits: limitsOf(flags),
    entitlements: flags.list('allow'),
    checkOnly: flags.bool('check') || ['check', 'lint'].includes(callOf(flags).call),
    ...(isDescription(callOf(flags).call) ? { describe: callOf(flags).call as 'outline' } : {}),
    ...(/^\d+$/.test(epoch) ? { sourceDateEpoch: Number(epoch) } : {}),
  };
}

/** A bare `NAME` takes the environment's value, where there is one. */
function buildArgs(flags: ParsedFlags, context: CliContext): Record<string, string> {
  const given = flags.list('build-arg').map((text) => text.split('=', 1)[0] ?? '');
  return Object.fromEntries([
    ...proxyVariables(context, given),
    ...flags.list('build-arg').flatMap((text): [string, string][] => {
      const at = text.indexOf('=');
      if (at >= 0) return [[text.slice(0, at), text.slice(at + 1)]];
      const value = context.env[text];
      return value === undefined ? [] : [[text, value]];
    }),
  ]);
}

function limitsOf(flags: ParsedFlags): BuildRequestJson['limits'] {
  const bytes = (name: string): bigint => {
    const size = parseByteSize(flags.string(name));
    if (typeof size === 'string') throw new EngineError('invalid', size);
    return size;
  };
  return {
    memory: String(bytes('memory')),
    memorySwap: String(bytes('memory-swap')),
    cpuShares: flags.int('cpu-shares'),
    cpuPeriod: flags.int('cpu-period'),
    cpuQuota: flags.int('cpu-quota'),
    cpusetCpus: flags.string('cpuset-cpus'),
    cpusetMems: flags.string('cpuset-mems'),
    cgroupParent: flags.string('cgroup-parent'),
    shmSize: Number(bytes('shm-size')),
    ulimits: flags.list('ulimit').map((text) => {
      const ulimit = parseUlimit(text);
      if (typeof ulimit === 'string') throw new EngineError('invalid', ulimit);
      return { name: ulimit.Name, soft: Number(ulimit.Soft), hard: Number(ulimit.Hard) };
    }),
  };
}

/** Undefined, where contexts are claimed: they must be sent. */
async function build(
  invocation: Invocation,
  { request, body, outputs, prepared, layouts, agents, signal }: Build,
  areClaimed: boolean,
): Promise<number | undefined> {
  const { context, client, flags } = invocation;
  const mode = progressMode(flags, context);
  const progress = progressOf(mode, context, flags);
  const calls = new ClientCalls(invocation, { outputs, layouts, agents, signal });
  let last: BuildMessage = {};
  let mustSend = false;
  let isTold = false;
  const refused = (): void => void (mustSend = true);
  const messages = client.builds.build({
    body: bodyOf(body),
    contentType: BUILD_BODY_TYPE,
    registryConfig: await registryConfig(context),
    isolation: flags.string('isolation') || undefined,
    signal: calls.signal,
  });
  for await (const message of areClaimed ? unlessRefused(messages, refused) : messages) {
    last = message;
    const failure = message.error ?? message.terminal?.error;
    if (areClaimed && failure?.contextChanged === true) {
      refused();
      break;
    }
    if (calls.take(message)) continue;
    if (message.terminal !== undefined) {
      await progress?.end();
      await tellFailure(message.terminal.error, { context, progress, prepared });
      await openFailureTerminal(invocation, message.terminal, calls.signal);
      isTold = true;
    } else if (mode === 'rawjson') await showRaw(context, message);
    else if (message.result === undefined && message.error === undefined) await progress?.show(message);
  }
  if (!isTold) await progress?.end();
  await calls.end({ hasFailed: mustSend || last.error !== undefined });
  if (mustSend) return undefined;
  if (last.error !== undefined) {
    if (!isTold) await tellFailure(last.error, { context, progress, prepared });
    throw new ExitError(1, `ERROR: failed to build: failed to solve: ${last.error.message}`);
  }
  if (last.result === undefined)
    throw new EngineError('unavailable', 'the daemon has ended the build without a word');
  await layouts.finish(last.result.metadata);
  await finish(invocation, last.result, { isQuiet: mode === 'quiet', progress, isCheck: request.checkOnly });
  return 0;
}

/** Nothing at all where the daemon won't read the contexts where they lie. */
async function* unlessRefused(
  messages: AsyncIterable<BuildMessage>,
  refused: () => void,
): AsyncGenerator<BuildMessage> {
  try {
    yield* messages;
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 409) throw error;
    refused();
  }
}

/** `rawjson` has BuildKit's lines alone. */
async function showRaw(context: CliContext, message: BuildMessage): Promise<void> {
  if (message.result === undefined && message.error === undefined)
    await context.stderr.write(`${JSON.stringify(message)}\n`);
}

function progressMode(flags: ParsedFlags, context: CliContext): string {
  if (flags.bool('quiet')) return 'quiet';
  const asked = flags.string('progress');
  const mode = asked === 'auto' || asked === '' ? (context.env['BUILDKIT_PROGRESS'] ?? 'auto') : asked;
  if (!['auto', 'plain', 'tty', 'quiet', 'rawjson', ''].includes(mode))
    throw new EngineError('invalid', `invalid progress mode ${mode}`);
  return mode;
}

function progressOf(mode: string, context: CliContext, flags: ParsedFlags): BuildProgress | undefined {
  const options = { explain: flags.bool('explain') };
  if (mode === 'quiet' || mode === 'rawjson') return undefined;
  const isLive = mode === 'tty' || (mode !== 'plain' && context.stderr.isTerminal);
  return isLive ? new LiveProgress(context.stderr, options) : new PlainProgress(context.stderr, options);
}

async function tellFailure(
  error: BuildErrorJson,
  {
    context,
    progress,
    prepared,
  }: { context: CliContext; progress: BuildProgress | undefined; prepared: PreparedContext },
): Promise<void> {
  const name = 'name' in prepared.dockerfile ? prepared.dockerfile.name : prepared.dockerfile.path;
  if (progress === undefined) return;
  const source = { name, text: prepared.file && new TextDecoder().decode(prepared.file) };
  const text = `${warningsText(progress.view)}${errorText(error, progress.view, source)}`;
  await context.stderr.write(text);
}

async function finish(
  { context, flags }: Invocation,
  { imageId, metadata }: NonNullable<BuildMessage['result']>,
  { isQuiet, progress, isCheck }: { isQuiet: boolean; progress: BuildProgress | undefined; isCheck: boolean },
): Promise<void> {
  const { call, format } = callOf(flags);
  if (isDescription(call)) {
    const text = format === 'json' ? `${metadata['result.json'] ?? ''}\n` : (metadata['result.txt'] ?? '');
    return await context.stdout.write(text);
  }
  const write = async (flag: string, text: string): Promise<void> => {
    const path = flags.string(flag);
    if (path !== '') await writeFile(resolve(context.cwd, path), text);
  };
  await write('iidfile', imageId ?? '');
  await write('metadata-file', `${JSON.stringify(decoded(metadata), null, 2)}\n`);
  if (progress !== undefined) await context.stderr.write(warningsText(progress.view));
  if (isCheck && progress?.view.warnings.length === 0)
    await context.stdout.write('Check complete, no warnings found.\n');
  if (isQuiet && imageId !== undefined) await context.stdout.write(`${imageId}\n`);
}

/** What is JSON in base64 is shown as what it is, as buildx does. */
function decoded(metadata: Record<string, string>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(metadata).map(([name, value]) => [
      name,
      name === 'containerimage.descriptor'
        ? JSON.parse(Buffer.from(value, 'base64').toString('utf8'))
        : value,
    ]),
  );
}
