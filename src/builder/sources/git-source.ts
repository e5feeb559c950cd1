import { existsSync } from 'node:fs';
import { lstat, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, errnoCodeOf } from '../../errors/engine-error.ts';
import { writeFolderNote } from './folder-note.ts';
import { git } from './git-command.ts';
import { type GitReference, parseGitReference, shownRemote } from './git-reference.ts';
import { type HeldFolder, HeldFolders } from './held-folders.ts';
import type { GitOptions, RemoteFiles } from './remote-sources.ts';
import { SerialKeys } from './serial-keys.ts';

const COMMIT = /^[0-9a-f]{40}([0-9a-f]{24})?$/;

/** Repositories by remote, and what was checked out of them by commit: what is here already costs one question to the remote. */
export class GitSource {
  readonly repositories: HeldFolders;
  readonly trees: HeldFolders;
  readonly #serial = new SerialKeys();

  constructor(root: string) {
    this.repositories = new HeldFolders(join(root, 'repositories'));
    this.trees = new HeldFolders(join(root, 'trees'));
  }

  async recover(): Promise<void> {
    await Promise.all([this.repositories.recover(), this.trees.recover()]);
  }

  /** @throws EngineError "unavailable" where there is no git, "invalid" with git's words. */
  async fetch(url: string, options: GitOptions): Promise<RemoteFiles> {
    const reference = parseGitReference(url);
    const keepGitDir = options.keepGitDir ?? reference.keepGitDir ?? false;
    // What one was let in to is nobody else's: a commit that is named is given without a question to the remote.
    const id = new Bun.CryptoHasher('sha256')
      .update(reference.remote)
      .update(options.authorization === undefined ? '' : `\n${options.authorization}`)
      .update(options.agent === undefined ? '' : '\nagent')
      .digest('hex');
    return await this.#serial.run(id, async () => {
      options.signal.throwIfAborted();
      const call = { ...options, cwd: '/', remote: reference.remote };
      const resolved = await resolveRef(reference, call);
      checkCommit(resolved.commit, options.checksum ?? reference.checksum, reference);
      const key = `${resolved.commit}${keepGitDir ? '-git' : ''}${reference.submodules ? '' : '-bare'}`;
      const name = `${id}-${key}`;
      const make = async (directory: string): Promise<string> => {
        await this.#checkOutInto(directory, { id, keepGitDir, resolved, reference }, call);
        return name;
      };
      const held = (await this.trees.hold(name)) ?? (await this.trees.make(make));
      return await filesOf(held, reference, key);
    });
  }

  async #checkOutInto(directory: string, wanted: WantedTree, call: GitCall): Promise<void> {
    const { id, keepGitDir, resolved, reference } = wanted;
    const repository = await this.#repository(id, call);
    try {
      await fetchInto(repository.path, resolved, call);
      const { submodules } = reference;
      await checkOut({ directory, repository: repository.path, keepGitDir, ...resolved, submodules }, call);
    } finally {
      await repository.release();
    }
    const ref = reference.ref === '' ? resolved.commit : reference.ref;
    const description = `git snapshot for ${shownRemote(call.remote)}#${ref}`;
    await writeFolderNote(directory, { description });
  }

  async #repository(id: string, call: GitCall): Promise<HeldFolder> {
    const name = `${id}.git`;
    const make = async (directory: string): Promise<string> => {
      await git(['init', '--quiet', '--bare', '--template=', directory], call);
      await writeFolderNote(directory, { description: `shared git repo for ${shownRemote(call.remote)}` });
      return name;
    };
    return (await this.repositories.hold(name)) ?? (await this.repositories.make(make));
  }
}

interface WantedTree {
  id: string;
  keepGitDir: boolean;
  resolved: ResolvedRef;
  reference: GitReference;
}

/** The commit, with nothing before it where the remote can do that. */
async function fetchInto(repository: string, { commit, name }: ResolvedRef, call: GitCall): Promise<void> {
  const within = { ...call, cwd: repository };
  if (await has(commit, within)) return;
  // A lock of a process that was killed would stay for ever; ours is the only one.
  await rm(join(repository, 'shallow.lock'), { force: true });
  const fetch = ['fetch', '--no-tags', '--update-head-ok'];
  try {
    await git([...fetch, '--depth=1', call.remote, commit], within);
  } catch (error) {
    call.signal.throwIfAborted();
    if (!isRefusal(error)) throw error;
    // No commits by their name, or nothing shallow: all of the branch, or of all branches.
    const spec = name === undefined ? '+refs/*:refs/fetched/*' : `+${name}:refs/fetched/one`;
    await git([...fetch, call.remote, spec], within);
  }
  if (await has(commit, within)) return;
  throw new EngineError(
    'invalid',
    `repository ${shownRemote(call.remote)} does not contain commit ${commit}`,
  );
}

type GitCall = Parameters<typeof git>[1];

interface ResolvedRef {
  commit: string;
  /** Its full name at the remote; undefined for a commit that was named itself. */
  name: string | undefined;
}

async function has(commit: string, within: GitCall): Promise<boolean> {
  try {
    await git(['cat-file', '-e', `${commit}^{commit}`], within);
    return true;
  } catch (error) {
    within.signal.throwIfAborted();
    if (error instanceof EngineError && error.kind === 'invalid') return false;
    throw error;
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof EngineError && error.kind === 'invalid';
}

/** As git looks names up: the name itself, a tag's commit before the tag, then branches. */
async function resolveRef({ remote, ref }: GitReference, call: GitCall): Promise<ResolvedRef> {
  if (COMMIT.test(ref)) return { commit: ref, name: undefined };
  const wanted = ref === '' ? 'HEAD' : ref;
  const listed = await git(['ls-remote', '--', remote, wanted, `${wanted}^{}`], call);
  const found = new Map<string, string>();
  for (const line of listed.split('\n')) {
    const [commit = '', name = ''] = line.split('\t');
    if (COMMIT.test(commit)) found.set(name, commit);
  }
  for (const prefix of ['', 'refs/', 'refs/tags/', 'refs/heads/']) {
    const name = prefix + wanted;
    const commit = found.get(`${name}^{}`) ?? found.get(name);
    if (commit !== undefined) return { commit, name };
  }
  throw new EngineError(
    'invalid',
    `repository does not contain ref ${wanted}, output: ${JSON.stringify(listed.slice(0, 500))}`,
  );
}

function checkCommit(commit: string, checksum: string | undefined, { ref }: GitReference): void {
  if (checksum === undefined || checksum === '') return;
  if (!/^[0-9a-f]{7,64}$/i.test(checksum))
    throw new EngineError('invalid', `invalid checksum ${JSON.stringify(checksum)}: expected a commit`);
  if (!commit.startsWith(checksum.toLowerCase()))
    throw new EngineError(
      'invalid',
      `expected checksum to match ${checksum}, got ${commit}${ref === '' ? '' : ` for ${ref}`}`,
      {
        code: 'digest-mismatch',
      },
    );
}

interface CheckOut extends ResolvedRef {
  directory: string;
  repository: string;
  keepGitDir: boolean;
  submodules: boolean;
}

/** The commit's files in `directory/files`, and with `keepGitDir` a repository that has it alone. */
async function checkOut(
  { directory, repository, commit, keepGitDir, submodules }: CheckOut,
  call: GitCall,
): Promise<void> {
  const files = join(directory, 'files');
  await git(['init', '--quiet', '--template=', files], call);
  const within = { ...call, cwd: files };
  await mkdir(join(files, '.git', 'objects', 'info'), { recursive: true });
  // Out of our own repository, which no protocol that a remote may name can reach.
  const allowed = ['-c', 'protocol.file.allow=always'];
  await git(
    [...allowed, 'fetch', '--quiet', '--depth=1', '--no-tags', repository, `${commit}:refs/heads/fetched`],
    within,
  ).catch(async () => await git([...allowed, 'fetch', '--quiet', '--no-tags', repository, commit], within));
  await git(['checkout', '--quiet', '--force', '--detach', commit], within);
  if (submodules && existsSync(join(files, '.gitmodules')))
    await git(['submodule', 'update', '--init', '--recursive', '--depth=1'], within);
  if (!keepGitDir) return await rm(join(files, '.git'), { recursive: true, force: true });
  await git(['remote', 'add', 'origin', '--', shownRemote(call.remote)], within);
}

async function filesOf(
  held: HeldFolder,
  { directory, remote }: GitReference,
  key: string,
): Promise<RemoteFiles> {
  try {
    let path = join(held.path, 'files');
    // Step by step: the repository may have a link there.
    for (const name of directory.split('/').filter((part) => part !== '')) {
      path = join(path, name);
      if (!(await isDirectory(path)))
        throw new EngineError('invalid', `subdir not a directory ${directory} in ${shownRemote(remote)}`);
    }
    const digests = join(held.path, 'digests');
    return {
      place: { kind: 'directory', path, digests },
      key: `${key}:${directory}`,
      name: '',
      release: held.release,
    };
  } catch (error) {
    await held.release();
    throw error;
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isDirectory();
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT' || errnoCodeOf(error) === 'ENOTDIR') return false;
    throw error;
  }
}
