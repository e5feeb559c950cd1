import { EngineError } from '../../errors/engine-error.ts';
import { readFileInLiveRoot } from '../../sys/open-in-root.ts';
import type { SpecProcess } from '../runtime-spec.ts';
import { hostCapabilities } from './capabilities.ts';
import { type EnvironmentInput, processEnvironment } from './environment.ts';
import { homeOf, type ResolvedUser, resolveUser } from './user.ts';

/** What an exec is to be; the rest is as the container's own process has it. */
export interface ExecWish extends EnvironmentInput {
  /** Not empty. */
  args: readonly string[];
  /** Absolute; empty: `/`. */
  workingDir: string;
  /** `user[:group]`; empty: as the container's process. */
  user: string;
  groupAdd: readonly string[];
  /** All capabilities; filter and profiles stay. */
  privileged: boolean;
  consoleSize: readonly [rows: number, columns: number] | undefined;
}

/**
 * The process of an exec. `base` is the container's, whose limits, profiles and capabilities it has; `root` is the container's root, in
 * which the container may be at work.
 *
 * @throws EngineError "invalid" for a user that is not there, in Docker's words; "internal" for a working directory that is not absolute.
 */
export function execProcess(base: SpecProcess, root: string, wish: ExecWish): SpecProcess {
  if ([...wish.args, ...wish.env, wish.workingDir].some((text) => text.includes('\0')))
    throw new EngineError('invalid', 'NUL byte in command, environment or working directory');
  const cwd = wish.workingDir === '' ? '/' : wish.workingDir;
  if (!cwd.startsWith('/'))
    throw new EngineError('internal', 'OCI runtime exec failed: exec failed: Cwd must be an absolute path');
  const user = wish.user === '' ? undefined : resolveLiveUser(root, wish);
  const home = user === undefined ? homeOf(root, '', readFileInLiveRoot) : user.home;
  const { consoleSize: _containers, ...inherited } = base;
  return {
    ...inherited,
    terminal: wish.terminal,
    ...consoleSizeOf(wish),
    user: user === undefined ? base.user : idsOf(user),
    args: [...wish.args],
    env: processEnvironment(wish, home),
    cwd,
    ...(wish.privileged ? { capabilities: allCapabilities() } : {}),
  };
}

/** As `resolveUser`, safe from those who work in the root. */
export function resolveLiveUser(
  root: string,
  { user, groupAdd }: Pick<ExecWish, 'user' | 'groupAdd'>,
): ResolvedUser {
  return resolveUser(root, user, groupAdd, readFileInLiveRoot);
}

function idsOf({ uid, gid, additionalGids }: ResolvedUser): SpecProcess['user'] {
  return { uid, gid, additionalGids };
}

function consoleSizeOf({ terminal, consoleSize }: ExecWish): Pick<SpecProcess, 'consoleSize'> {
  if (!terminal || consoleSize === undefined) return {};
  const [height, width] = consoleSize;
  return height > 0 && width > 0 ? { consoleSize: { height, width } } : {};
}

function allCapabilities(): NonNullable<SpecProcess['capabilities']> {
  const all = hostCapabilities();
  return { bounding: all, effective: all, permitted: all, inheritable: [], ambient: [] };
}
