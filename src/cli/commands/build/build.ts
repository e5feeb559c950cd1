import { ApiError } from '../../../client/api-error.ts';
import { EngineError } from '../../../errors/engine-error.ts';
import { BUILD_BODY_TYPE, type BuildMessage, type BuildRequestJson } from '../../../wire/build.ts';
import { ExitError } from '../../cli-error.ts';
import type { Command } from '../../command.ts';
import type { Invocation } from '../../context.ts';
import { registryConfig } from '../../credentials/registry-config.ts';
import { withInterrupt } from '../../terminal/interrupt.ts';
import { bodyOf, type Part } from './body-parts.ts';
import { BUILD_FLAGS } from './build-flags.ts';
import { type WantedOutput, wantedOutputs } from './build-outputs.ts';
import { namedContexts, type PreparedContext, prepareContext, secretParts } from './build-parts.ts';
import { refuseUnbuilt, requestOf } from './build-request.ts';
import { finish } from './build-result.ts';
import { claimDirectories } from './claim-directory.ts';
import { ClientCalls } from './client-calls.ts';
import { ClientLayouts } from './client-layouts.ts';
import { canDebug, openFailureTerminal } from './failure-terminal.ts';
import { ForwardedAgents } from './forwarded-agents.ts';
import { progressMode, progressOf, showRaw, tellFailure } from './progress-mode.ts';

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
