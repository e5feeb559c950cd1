import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must } from '../support/engine/command.ts';
import { CHECKOUT, type StepContext } from './step.ts';

/** The working tree as it lies, changes and new files too, as a commit that no branch leads to. */
export async function commitWorkingTree(root: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'sampan-tree-'));
  const git = async (...args: string[]) =>
    (
      await must(['git', '-C', root, ...args], {
        env: { GIT_INDEX_FILE: join(folder, 'index'), ...AUTHOR },
      })
    ).trim();
  try {
    await git('read-tree', 'HEAD');
    await git('add', '--all');
    return await git('commit-tree', await git('write-tree'), '-p', 'HEAD', '-m', 'The working tree');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const AUTHOR = Object.fromEntries(
  ['AUTHOR', 'COMMITTER'].flatMap((who) => [
    [`GIT_${who}_NAME`, 'machines'],
    [`GIT_${who}_EMAIL`, 'machines@localhost'],
  ]),
);

/** On a machine where everything is installed: the engine of that commit, started. */
export async function arrive(context: StepContext): Promise<void> {
  await putCheckout(context);
  await context.guest.must(`cd ${CHECKOUT} && npm start`, { limitMs: 3_600_000, log: context.log });
}

/** What was installed into an older checkout is kept. */
const KEEP_INSTALLED = `mkdir -p ${CHECKOUT} && cd ${CHECKOUT} && find . -mindepth 1 -maxdepth 1 ! -name node_modules ! -name .cache -exec rm -rf {} +`;

/** Set-up goes by times. A disk is kept for one lock file, so these are its packages. */
const KEEP_PACKAGES = `if [ -e ${CHECKOUT}/node_modules/.package-lock.json ]; then touch ${CHECKOUT}/node_modules/.package-lock.json; fi`;

/** A clone with no more than that commit, and the host's ways to packages. */
export async function putCheckout({ guest, root, commit, npm, environment }: StepContext): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'sampan-clone-'));
  try {
    const clone = join(work, 'sampan');
    await must(['git', 'init', '-q', clone]);
    const anyCommit = '--upload-pack=git -c uploadpack.allowAnySHA1InWant=true upload-pack';
    await must(['git', '-C', clone, 'fetch', '-q', '--depth', '1', anyCommit, `file://${root}`, commit]);
    await must(['git', '-C', clone, 'checkout', '-q', '-b', 'main', 'FETCH_HEAD']);
    await must(['tar', '-C', work, '-cf', join(work, 'sampan.tar'), 'sampan']);
    await guest.must(`${KEEP_INSTALLED} && tar -x --no-same-owner -C /root && ${KEEP_PACKAGES}`, {
      stdin: Bun.file(join(work, 'sampan.tar')),
    });
  } finally {
    rmSync(work, { recursive: true });
  }
  await guest.must('umask 077 && cat > /root/.npmrc', { stdin: new Blob([`${npm.join('\n')}\n`]) });
  await guest.must('cat > /etc/environment', {
    stdin: new Blob([environment.map((line) => `${line}\n`).join('')]),
  });
}
