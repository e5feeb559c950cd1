import type { ChainId, Digest } from '../../oci/digest.ts';
import type { FileAction } from '../copy/file-action.ts';
import { makeFileLayer } from '../copy/make-file-layer.ts';
import { type CopySource, parseOwner, planCopy } from '../copy/plan-copy.ts';
import { hasNames } from '../copy/user-names.ts';
import type { FileStep, StepSource } from '../plan/build-step.ts';
import { withGitAccess } from '../sources/git-access.ts';
import type { PreparedStep } from './prepared-step.ts';
import type { StepInputs } from './step-inputs.ts';

/** COPY, ADD, WORKDIR. @throws EngineError in BuildKit's words for what isn't there. */
export async function prepareFiles(step: FileStep, inputs: StepInputs): Promise<PreparedStep> {
  const parent = await inputs.parentOf(step);
  const releases: (() => Promise<void>)[] = [];
  const release = async (): Promise<void> => {
    for (const one of releases.splice(0)) await one();
  };
  try {
    const { actions, content, digest, created } = await actionsOf(step, releases, inputs);
    const key = inputs.key(['file', ...below(step, parent), content]);
    const make: PreparedStep['make'] = async ({ signal, tell, lease }) => {
      tell({ type: 'started' });
      const made = await makeFileLayer(actions, {
        ports: inputs.ports.layers,
        lease,
        parent,
        created: created ?? Math.floor(Date.now() / 1000),
        compression: 'none',
        signal,
        link: step.link,
        digest,
        progress: ({ copiedBytes }) => tell({ type: 'copied', bytes: copiedBytes }),
      });
      return inputs.built(made, parent);
    };
    const reason = 'the instruction, its files or what it stands on were not seen before';
    return { key, parent, reason, make, release };
  } catch (error) {
    await release();
    throw error;
  }
}

/** What of the parent makes a difference. With `--link` nothing of it does, unless names of owners are looked up there. */
function below({ link, work }: FileStep, parent: ChainId | undefined): readonly string[] {
  const isOwn = link && !(work.kind === 'copy' && hasNames(parseOwner(work.options.chown)));
  return isOwn ? ['link'] : [link ? 'link' : 'on', parent ?? ''];
}

async function actionsOf(
  { work }: FileStep,
  releases: (() => Promise<void>)[],
  inputs: StepInputs,
): Promise<{ actions: FileAction[]; content: unknown; digest?: Digest; created?: number | undefined }> {
  if (work.kind === 'directory') {
    const owner = parseOwner(work.user);
    const action = { kind: 'make-directory', path: work.path, mode: 0o755, owner } as const;
    // As in BuildKit SOURCE_DATE_EPOCH dates what is made here, and nothing that is copied.
    const created = inputs.options.sourceDateEpoch;
    return { actions: [action], content: created === undefined ? action : [action, created], created };
  }
  const found = await Promise.all(work.sources.map((source) => sourceOf(source, releases, inputs)));
  const actions = planCopy(found, work.options);
  const digest = await inputs.digest(actions);
  const { destination, workdir, chown, chmod } = work.options;
  return {
    actions,
    digest,
    content: [digest, work.options.command, destination, workdir, chown, chmod],
  };
}

async function sourceOf(
  source: StepSource,
  releases: (() => Promise<void>)[],
  inputs: StepInputs,
): Promise<CopySource> {
  const signal = inputs.options.signal;
  const { remote } = inputs.ports;
  switch (source.kind) {
    case 'text':
      return source;
    case 'path':
      return { kind: 'path', place: await inputs.placeOf(source.tree), path: source.path };
    case 'url': {
      const file = await remote.http(source.url, { signal, checksum: source.checksum });
      releases.push(() => file.release());
      return { kind: 'url', place: file.place, name: file.name };
    }
    case 'git': {
      const { url, checksum, keepGitDir } = source;
      const { session } = inputs.options;
      const files = await withGitAccess(url, { session, paths: inputs.ports.runs.paths, signal }, (access) =>
        remote.git(url, { ...access, signal, checksum, keepGitDir }),
      );
      releases.push(() => files.release());
      return { kind: 'git', place: files.place };
    }
  }
}
