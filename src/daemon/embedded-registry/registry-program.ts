import { GC_FLAGS, LIST_FLAGS, SERVE_FLAGS } from '../../cli/commands/registry/flags.ts';
import type { Flag } from '../../cli/flags/flag.ts';
import { type ParsedFlags, parseFlags } from '../../cli/flags/flag-set.ts';
import { flagUsages } from '../../cli/flags/flag-usages.ts';
import { UsageError } from '../../cli/flags/usage-error.ts';
import { humanSize } from '../../cli/output/human-size.ts';
import { kindOf } from '../../errors/engine-error.ts';
import { silentLogger } from '../../errors/logger.ts';
import { OwnBlobCollector } from '../../registry/server/blob-collector.ts';
import { type CollectionReport, collectGarbage } from '../../registry/server/gc/collect-garbage.ts';
import { parseDuration } from '../../wire/time.ts';
import { listRegistry } from './list-registry.ts';
import { collectRemotely } from './registry-control.ts';
import { type LockedRegistryRoot, openRegistryRoot } from './registry-root.ts';
import { serveStandAlone } from './stand-alone-registry.ts';

const VERBS: Record<string, { flags: readonly Flag[]; run(flags: ParsedFlags): Promise<void> }> = {
  serve: { flags: SERVE_FLAGS, run: serveStandAlone },
  ls: { flags: LIST_FLAGS, run: (flags) => listRegistry(flags, write) },
  gc: { flags: GC_FLAGS, run: collect },
};

/**
 * `sampand registry serve|ls|gc`: a registry without an engine around it.
 *
 * @throws UsageError, EngineError
 */
export async function runRegistryProgram([name = '', ...args]: readonly string[]): Promise<void> {
  const verb = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined;
  if (verb === undefined) throw new UsageError('usage: sampand registry serve|ls|gc [OPTIONS]');
  const flags = parseFlags(verb.flags, args, { interspersed: true });
  if (flags.bool('help'))
    return write(`\nUsage:  sampand registry ${name} [OPTIONS]\n\nOptions:\n${flagUsages(verb.flags, 100)}`);
  await verb.run(flags);
}

async function collect(flags: ParsedFlags): Promise<void> {
  const root = flags.string('root');
  const request = {
    dryRun: flags.bool('dry-run'),
    untagged: flags.bool('untagged'),
    graceMs: Number((parseDuration(flags.string('grace')) ?? 0n) / 1_000_000n),
  };
  const locked = await openIfFree(root);
  if (locked === undefined) return report(await collectRemotely(root, request), request.dryRun);
  try {
    const { content: store, pushed: index, cached } = locked;
    const own = new OwnBlobCollector(store, () => index.digests().union(cached.digests()));
    // An engine's content is the engine's to clear: it does at its next start.
    const keeper = locked.isShared ? { hold: own.hold.bind(own), release: () => Promise.resolve(0) } : own;
    report(await collectGarbage({ store, index, keeper, logger: silentLogger }, request), request.dryRun);
    if (!request.dryRun && !locked.isShared) await own.releaseUnnamed();
  } finally {
    locked.release();
  }
}

/** Undefined: another process has it. */
async function openIfFree(root: string): Promise<LockedRegistryRoot | undefined> {
  try {
    return await openRegistryRoot(root);
  } catch (error) {
    if (kindOf(error) === 'conflict') return undefined;
    throw error;
  }
}

function report({ repositories, unnamedBytes }: CollectionReport, dryRun: boolean): void {
  for (const { repository, manifests, blobs } of repositories)
    for (const digest of [...manifests, ...blobs])
      write(`${dryRun ? 'would remove' : 'removed'} ${repository}@${digest}\n`);
  write(`Total reclaim${dryRun ? 'able' : 'ed'} space: ${humanSize(unnamedBytes)}\n`);
}

function write(text: string): void {
  process.stdout.write(text);
}
