import type { ImageLayer, ImageLayers, LayerEntry } from '../../../client/model.ts';
import type { Command } from '../../command.ts';
import { humanSize } from '../../output/human-size.ts';
import { ellipsis, shortId } from '../../output/labels.ts';
import { formatList, LIST_FORMAT_FLAG } from '../../output/list-format.ts';
import { printable } from '../../output/printable.ts';
import { Struct } from '../../output/template/value.ts';
import { platformJson } from './platform-json.ts';

const LAYER_TABLE = '{{.ID}}\t{{.Size}}\t{{.BlobSize}}\t{{.Files}}\t{{.Wasted}}\t{{.CreatedBy}}';
const FILE_TABLE = '{{.Layer}}\t{{.Kind}}\t{{.Size}}\t{{.Wasted}}\t{{.Path}}';
const HEADERS = {
  ID: 'LAYER',
  Layer: 'LAYER',
  Digest: 'DIGEST',
  Size: 'SIZE',
  BlobSize: 'COMPRESSED',
  Files: 'FILES',
  Wasted: 'WASTED',
  CreatedBy: 'CREATED BY',
  Created: 'CREATED AT',
  Kind: 'CHANGE',
  Type: 'TYPE',
  Path: 'PATH',
};

export const command: Command = {
  usage: '[OPTIONS] IMAGE',
  long:
    'Show what each layer of an image brings, the lowest first, and how much of it is wasted:\n' +
    'files that a later layer replaces or removes, which are stored and moved all the same.',
  flags: [
    { name: 'files', kind: 'bool', usage: "Show every layer's files" },
    LIST_FORMAT_FLAG,
    { name: 'no-trunc', kind: 'bool', usage: 'Show values whole' },
    { name: 'platform', kind: 'string', usage: 'Platform of the image (os[/arch[/variant]])' },
  ],
  args: { min: 1, max: 1 },
  examples: [
    'image layers app:1',
    'image layers --files --format \'{{if eq .Wasted "yes"}}{{.Path}}{{end}}\' app:1',
  ],
  async run({ context, client, flags, args }) {
    const files = flags.bool('files');
    const image = await client.images.layers(args[0] ?? '', {
      files,
      platform: platformJson(flags.string('platform'), { prefix: 'invalid platform: ' }),
    });
    const truncate = !flags.bool('no-trunc');
    const format = flags.string('format');
    const rows = files
      ? image.Layers.flatMap((layer) => (layer.Entries ?? []).map((entry) => fileRow(layer, entry, truncate)))
      : image.Layers.map((layer) => layerRow(layer, truncate));
    await context.stdout.write(
      formatList(rows, { format, table: files ? FILE_TABLE : LAYER_TABLE, headers: HEADERS }),
    );
    if (format === '') await context.stdout.write(`\n${total(image)}\n`);
    return 0;
  },
};

const STEP_WIDTH = 45;

function layerRow(layer: ImageLayer, truncate: boolean): Struct {
  const step = printable(layer.CreatedBy);
  return new Struct('*formatter.layerContext', {
    BlobSize: () => humanSize(layer.BlobSize, 3),
    Created: () => layer.Created,
    CreatedBy: () => (truncate ? ellipsis(step, STEP_WIDTH) : step),
    Digest: () => (truncate ? shortId(layer.Digest) : layer.Digest),
    Files: () => String(layer.Files),
    ID: () => (truncate ? shortId(layer.DiffId) : layer.DiffId),
    Size: () => humanSize(layer.Size, 3),
    Wasted: () => humanSize(layer.WastedSize, 3),
  });
}

function fileRow(layer: ImageLayer, entry: LayerEntry, truncate: boolean): Struct {
  return new Struct('*formatter.layerEntryContext', {
    Kind: () => entry.Kind,
    Layer: () => (truncate ? shortId(layer.DiffId) : layer.DiffId),
    Path: () => printable(entry.Path),
    Size: () => humanSize(entry.Size, 3),
    Type: () => entry.Type,
    Wasted: () => (entry.Wasted ? 'yes' : 'no'),
  });
}

function total({ Layers, Size, WastedSize }: ImageLayers): string {
  const size = Number(Size);
  const share = size === 0 ? 0 : Math.round((Number(WastedSize) * 100) / size);
  const layers = `${Layers.length} layer${Layers.length === 1 ? '' : 's'}`;
  return `Total: ${humanSize(size, 3)} in ${layers}, ${humanSize(WastedSize, 3)} of it wasted (${share}%)`;
}
