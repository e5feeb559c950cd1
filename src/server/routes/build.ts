import type { BuildBackend } from '../../builder/build-backend.ts';
import type { BuildEvent } from '../../builder/build-progress.ts';
import type { BuildRequest } from '../../builder/build-request.ts';
import type { CacheSpace } from '../../builder/builder.ts';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import { familiarName, parseReference, withDefaultTag } from '../../oci/reference.ts';
import { parseFilters } from '../../wire/filters.ts';
import { type ApiRequest, boolParam, intParam, textParam } from '../api-request.ts';
import type { ApiResponse } from '../api-response.ts';
import { buildArgNames, checkIsolation, classicBuild, registryConfig } from '../decode/build-query.ts';
import { cacheSelection } from '../decode/cache-selection.ts';
import { ClassicProgress } from '../encode/classic-build.ts';
import { OutputGate } from '../output-gate.ts';
import { ProgressWriter } from '../progress-writer.ts';
import type { Route } from '../router.ts';
import type { Backends } from '../server-options.ts';
import { SampanBuilds } from './sampan-build.ts';
import { SessionBuilds } from './session-build.ts';

/** Builds under way by the id that their client gave them, for `POST /build/cancel`. */
type RunningBuilds = Map<string, AbortController>;

export function buildRoutes({ builder, buildkit }: Backends): Route[] {
  const running: RunningBuilds = new Map();
  const own = new SampanBuilds(builder);
  const sessions = new SessionBuilds(buildkit, builder);
  return [
    ...own.routes(),
    {
      method: 'POST',
      pattern: '/build',
      handler: (request, response) =>
        build(running, request, (signal) => {
          checkIsolation(request);
          const version = textParam(request, 'version');
          if (version === 'sampan') return own.build(request, response, signal);
          if (version === '2') return sessions.build(request, response, signal);
          return classic(builder, signal, { request, response });
        }),
    },
    {
      method: 'POST',
      pattern: '/build/cancel',
      handler: (request, response) => {
        const id = textParam(request, 'id');
        if (id === undefined) throw new EngineError('invalid', 'build ID not provided');
        running.get(id)?.abort(new EngineError('invalid', 'build canceled'));
        response.empty(200);
      },
    },
    {
      method: 'POST',
      pattern: '/build/prune',
      handler: (request, response) => prune(builder, request, response),
    },
  ];
}

async function build(
  running: RunningBuilds,
  request: ApiRequest,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const canceled = new AbortController();
  const signal = AbortSignal.any([request.signal, canceled.signal]);
  const id = textParam(request, 'buildid');
  if (id !== undefined) running.set(id, canceled);
  try {
    await work(signal);
  } finally {
    if (id !== undefined) running.delete(id);
  }
}

async function classic(
  builder: BuildBackend,
  signal: AbortSignal,
  { request, response }: { request: ApiRequest; response: ApiResponse },
): Promise<void> {
  const isRemote = textParam(request, 'remote') !== undefined;
  const session = await builder.receive(
    {
      contexts: isRemote ? [] : [['context', request.body]],
      secrets: new Map(),
      credentials: registryConfig(request),
      outputs: new Map(),
    },
    { signal },
  );
  let finish: () => Promise<void>;
  try {
    finish = await run(builder, classicBuild(request, session), { request, response, signal });
  } finally {
    // With the build, not with its answer: a client that doesn't read keeps no context on the disk.
    await session.close();
  }
  await finish();
}

/** @returns what ends the answer, once its client has read it. */
async function run(
  builder: BuildBackend,
  wanted: BuildRequest,
  { request, response, signal }: { request: ApiRequest; response: ApiResponse; signal: AbortSignal },
): Promise<() => Promise<void>> {
  const writer = new ProgressWriter(response);
  const isQuiet = boolParam(request, 'q');
  const gate = new OutputGate(() => writer.waitingBytes);
  const progress = new ClassicProgress(
    (message) => {
      if (!isQuiet) writer.write(message);
    },
    { labels: wanted.labels, buildArgs: buildArgNames(request) },
  );
  try {
    const watch = (event: BuildEvent): void => {
      const passed = gate.pass(event);
      if (passed !== undefined) progress.event(passed);
    };
    const { imageId } = await builder.build(wanted, { signal, watch });
    if (imageId === undefined) throw new EngineError('internal', 'The build made no image');
    const names = wanted.outputs.flatMap((output) => output.names).map(shown);
    progress.done(imageId, names);
    if (isQuiet) writer.write({ stream: `${imageId}\n` });
    return () => writer.end();
  } catch (error) {
    progress.failed();
    return () => writer.fail(classicError(error), request.signal);
  }
}

function shown(name: string): string {
  return familiarName(withDefaultTag(parseReference(name)));
}

/** The classic builder's words for a command that failed, with its code. */
function classicError(error: unknown): unknown {
  const exit = exitOf(error);
  if (exit === undefined) {
    const [, path] = /^failed to compute cache key: "\/?(.*)": not found$/.exec(messageOf(error)) ?? [];
    if (path === undefined) return error;
    const message = `COPY failed: file not found in build context or excluded by .dockerignore: stat ${path}: file does not exist`;
    return new EngineError('invalid', message, { cause: error });
  }
  const message = `The command '${exit.command}' returned a non-zero code: ${exit.code}`;
  return Object.assign(new EngineError('invalid', message, { cause: error }), { exitCode: exit.code });
}

/** A BuildError's; by its shape, since only types of the builder are known here. */
function exitOf(error: unknown): { code: number; command: string } | undefined {
  if (!(error instanceof EngineError) || !('exit' in error)) return undefined;
  return error.exit as { code: number; command: string } | undefined;
}

async function prune(builder: BuildBackend, request: ApiRequest, response: ApiResponse): Promise<void> {
  const space = spaceOf(request);
  const selection = cacheSelection(parseFilters(request.query.get('filters')));
  const { deleted, reclaimedBytes } = await builder.pruneCache(
    { all: boolParam(request, 'all'), ...space, ...selection },
    { signal: request.signal },
  );
  response.json(200, {
    CachesDeleted: deleted.length === 0 ? null : deleted,
    SpaceReclaimed: reclaimedBytes,
  });
}

function spaceOf(request: ApiRequest): CacheSpace {
  return {
    // The older name counts where the newer one is not used.
    reservedBytes: bytesParam(request, 'reserved-space') || bytesParam(request, 'keep-storage'),
    maxUsedBytes: bytesParam(request, 'max-used-space'),
    minFreeBytes: bytesParam(request, 'min-free-space'),
  };
}

/** 0 where it is missing. @throws EngineError "invalid" in Docker's words. */
function bytesParam(request: ApiRequest, name: string): number {
  try {
    return intParam(request, name) ?? 0;
  } catch (error) {
    const given = textParam(request, name) ?? '';
    const message = `${name} is in bytes and expects an integer, got ${given}: ${messageOf(error)}`;
    throw new EngineError('invalid', message, { cause: error });
  }
}
