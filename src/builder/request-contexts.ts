import { parseBool } from '../text/parse-bool.ts';
import type { BuildWatcher } from './build-progress.ts';
import type { BuildRequest } from './build-request.ts';
import type { ContextSource } from './build-session.ts';
import type { BuildPlan } from './plan/build-plan.ts';
import type { ContextName } from './plan/build-step.ts';
import type { ContextPaths } from './plan/context-paths.ts';
import { BuildContexts } from './solver/build-contexts.ts';
import type { SolverPorts } from './solver/build-ports.ts';
import { watched } from './solver/build-progress-teller.ts';
import { withGitAccess } from './sources/git-access.ts';

type ContextRequest = Pick<BuildRequest, 'context' | 'session' | 'buildArgs'>;

/** A context of the request: the client's own, or what a URL names. */
export function contextSource(
  name: ContextName,
  { context, session, buildArgs }: ContextRequest,
  { remote, runs }: Pick<SolverPorts, 'remote' | 'runs'>,
): ContextSource {
  if (!name.main) return session.context(name.name);
  if (context.type !== 'remote') return session.context('context');
  const { url } = context;
  const keepGitDir = parseBool(buildArgs.get('BUILDKIT_CONTEXT_KEEP_GIT_DIR') ?? '');
  return {
    open: async (want, { signal }) =>
      await withGitAccess(url, { session, paths: runs.paths, signal }, (access) =>
        remote.context(url, { ...access, signal, want, keepGitDir }),
      ),
  };
}

export interface RequestContextsOptions {
  plans: readonly BuildPlan[];
  /** Patterns of `.dockerignore`. */
  ignore: readonly string[];
  solver: Pick<SolverPorts, 'remote' | 'runs'>;
  watch: BuildWatcher;
  signal: AbortSignal;
}

/** All contexts of the request, of each what the plans read. */
export function requestContexts(
  request: ContextRequest,
  { plans, ignore, solver, watch, signal }: RequestContextsOptions,
): BuildContexts {
  const paths: ContextPaths = new Map();
  for (const plan of plans)
    for (const [key, { context, paths: more }] of plan.contexts) {
      const known = paths.get(key)?.paths ?? [];
      paths.set(key, { context, paths: new Set([...known, ...more]) });
    }
  return new BuildContexts({
    source: (name) => contextSource(name, request, solver),
    ignore,
    paths,
    signal,
    watch: async (name, opening) =>
      await watched(
        watch,
        name.main ? '[internal] load build context' : `[context ${name.name}] load from client`,
        async (teller) => await opening((bytes) => teller.transfer('transferring context:', bytes)),
      ),
  });
}
