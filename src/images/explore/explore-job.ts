import { EngineError } from '../../errors/engine-error.ts';
import { openLayer } from '../../snapshots/open-layer.ts';
import type { LayerPlace } from '../../snapshots/snapshotter.ts';
import type { ImageDiff } from '../../wire/image-diff.ts';
import type { ImageLayer, ImageLayers } from '../../wire/image-layers.ts';
import { type LayerChange, LayerTally, layerChanges } from './layer-changes.ts';
import { stackChanges } from './stack-changes.ts';

/** What of a layer's description isn't counted. */
export type LayerFacts = Omit<ImageLayer, 'Size' | 'Files' | 'WastedSize' | 'Entries'>;

/** A look into images without mounting them. Plain data: it is run whole in a worker thread. Layers lowest first. */
export type ExploreJob =
  | {
      kind: 'layers';
      head: Pick<ImageLayers, 'Id' | 'Platform'>;
      layers: { place: LayerPlace; facts: LayerFacts }[];
      withFiles: boolean;
    }
  | { kind: 'diff'; head: Pick<ImageDiff, 'From' | 'To'>; from: LayerPlace[]; to: LayerPlace[] };

export interface ExplorePorts {
  signal: AbortSignal;
  /** The next piece of the answer: JSON as bytes. */
  write: (piece: Uint8Array) => void;
}

const PIECE_CHARACTERS = 64 * 1024;
/** So many paths are looked at between two looks at the signal. */
const STRIDE = 2000;
/** Some 500,000 files. An answer is held until it is whole, so that a failure is told as one. */
const MAX_ANSWER_CHARACTERS = 64 << 20;

/** Write the answer, `ImageLayers` or `ImageDiff`, as the layers are read. @throws EngineError "invalid" code size-exceeded; the signal's reason. */
export async function runExploreJob(job: ExploreJob, ports: ExplorePorts): Promise<void> {
  const answer = new Answer(ports);
  await (job.kind === 'layers' ? writeLayers(job, answer) : writeDiff(job, answer));
  answer.flush();
}

async function writeLayers(job: Extract<ExploreJob, { kind: 'layers' }>, answer: Answer): Promise<void> {
  const roots = job.layers.map(({ place }) => openLayer(place));
  const { Id, Platform } = job.head;
  let [Size, WastedSize] = [0, 0];
  answer.add(`{"Id":${JSON.stringify(Id)},"Platform":${JSON.stringify(Platform)},"Layers":[`);
  for (const [at, { facts }] of job.layers.entries()) {
    const tally = new LayerTally();
    answer.add(`${at === 0 ? '' : ','}{${inner(facts)},`);
    if (job.withFiles) answer.add('"Entries":[');
    for (const change of layerChanges(roots, at)) {
      if (job.withFiles) answer.add(`${tally.files === 0 ? '' : ','}${entryOf(change)}`);
      tally.add(change);
      await answer.pause();
    }
    if (job.withFiles) answer.add('],');
    answer.add(`${inner({ Size: tally.size, Files: tally.files, WastedSize: tally.wastedSize })}}`);
    Size += tally.size;
    WastedSize += tally.wastedSize;
  }
  answer.add(`],${inner({ Size, WastedSize })}}`);
}

function entryOf({ path, kind, type, node, isWasted }: LayerChange): string {
  return JSON.stringify({ Path: path, Kind: kind, Type: type, Size: node?.size ?? 0, Wasted: isWasted });
}

async function writeDiff(
  { head, from, to }: Extract<ExploreJob, { kind: 'diff' }>,
  answer: Answer,
): Promise<void> {
  const [before, after] = [from, to].map((places) => places.map(openLayer).reverse());
  answer.add(`{${inner(head)},"Changes":[`);
  let isFirst = true;
  for (const change of stackChanges(before ?? [], after ?? [])) {
    if (change !== undefined) answer.add(`${isFirst ? '' : ','}${JSON.stringify(change)}`);
    isFirst &&= change === undefined;
    await answer.pause();
  }
  answer.add(']}');
}

/** An object's fields as JSON, without its braces. */
function inner(fields: object): string {
  return JSON.stringify(fields).slice(1, -1);
}

/** Collects an answer into pieces. */
class Answer {
  readonly #ports: ExplorePorts;
  #text = '';
  #sent = 0;
  #steps = 0;

  constructor(ports: ExplorePorts) {
    this.#ports = ports;
  }

  add(text: string): void {
    this.#text += text;
    if (this.#text.length >= PIECE_CHARACTERS) this.flush();
  }

  flush(): void {
    this.#sent += this.#text.length;
    if (this.#sent > MAX_ANSWER_CHARACTERS)
      throw new EngineError(
        'invalid',
        `Cannot list files: the answer is longer than ${MAX_ANSWER_CHARACTERS} characters`,
        {
          code: 'size-exceeded',
        },
      );
    this.#ports.write(Buffer.from(this.#text));
    this.#text = '';
  }

  /** Now and then: let the thread hear that nobody waits any more. */
  async pause(): Promise<void> {
    if (++this.#steps % STRIDE === 0) await new Promise(setImmediate);
    this.#ports.signal.throwIfAborted();
  }
}
