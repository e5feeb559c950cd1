import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchRow } from './bench-row.ts';
import { type Contestant, inTurn } from './in-turn.ts';
import { findProgram, runCommand } from './run-command.ts';
import type { Setting } from './setting.ts';

const DEFAULT_RUNS = 3;
/** Best first. */
const DECOMPRESSORS = ['igzip', 'libdeflate-gunzip', 'pigz', 'gzip'];

/** The pull, beside the least that has to be done for it: each blob fetched by curl, decompressed, written once, all at the same time. */
export async function limitBench(setting: Setting): Promise<BenchRow> {
  const decompressor = DECOMPRESSORS.find((name) => findProgram(name) !== undefined);
  if (decompressor === undefined || findProgram('curl') === undefined)
    throw new Error('Cannot find curl and a decompressor. Install the packages curl and isal.');
  const image = await setting.layered();
  const urls = await blobUrls(image);
  const folder = join(setting.folder, 'limit');
  const ours: Contestant = {
    before: async () => {
      await setting.sampan.removeImage(image);
      runCommand(['sync']);
    },
    work: async () => {
      await setting.sampan.pull(image);
    },
  };
  const least: Contestant = {
    before: () => {
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder);
      runCommand(['sync']);
    },
    work: () => fetchAll(urls, { folder, decompressor }),
  };
  const [sampan = [], other] = await inTurn([ours, least], setting.options.runs ?? DEFAULT_RUNS);
  const otherName = `curl, ${decompressor} and a write`;
  return { what: 'that pull, beside its limit', unit: 'ms', sampan, other, otherName, goal: undefined };
}

async function blobUrls(image: string): Promise<string[]> {
  const [, host = '', name = '', tag = ''] = /^([^/]+)\/(.+):(.+)$/.exec(image) ?? [];
  const base = `http://${host}/v2/${name}`;
  const response = await fetch(`${base}/manifests/${tag}`, {
    headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
  });
  const manifest = (await response.json()) as { layers: { digest: string }[] };
  return manifest.layers.map(({ digest }) => `${base}/blobs/${digest}`);
}

function fetchAll(urls: readonly string[], where: { folder: string; decompressor: string }): void {
  const jobs = urls.map(
    (url, index) => `curl -s '${url}' | ${where.decompressor} -dc > '${where.folder}/${index}' &`,
  );
  const { status } = spawnSync('sh', ['-c', `${jobs.join('\n')}\nwait\nsync -f '${where.folder}'`]);
  if (status !== 0) throw new Error(`The limit's commands ended with ${status}`);
}
