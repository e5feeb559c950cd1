import type { FileChange, ImageDiff } from '../../../client/model.ts';
import type { Command } from '../../command.ts';
import { humanSize } from '../../output/human-size.ts';
import { formatList, LIST_FORMAT_FLAG } from '../../output/list-format.ts';
import { printable } from '../../output/printable.ts';
import { Struct } from '../../output/template/value.ts';
import { platformJson } from './platform-json.ts';

const TABLE = '{{.Kind}}\t{{.Size}}\t{{.Delta}}\t{{.Path}}';
const HEADERS = { Kind: 'CHANGE', Type: 'TYPE', Size: 'SIZE', Delta: 'DELTA', Path: 'PATH' };

export const command: Command = {
  usage: '[OPTIONS] IMAGE OTHER',
  long: 'Show how the files of one image differ from those of another: what OTHER adds, modifies and removes.',
  flags: [
    LIST_FORMAT_FLAG,
    { name: 'platform', kind: 'string', usage: 'Platform of both images (os[/arch[/variant]])' },
  ],
  args: { min: 2, max: 2 },
  examples: ['image diff app:1 app:2', "image diff --format '{{.Kind}} {{.Path}}' app:1 app:2"],
  async run({ context, client, flags, args }) {
    const [name = '', other = ''] = args;
    const diff = await client.images.diff(name, other, {
      platform: platformJson(flags.string('platform'), { prefix: 'invalid platform: ' }),
    });
    const format = flags.string('format');
    await context.stdout.write(formatList(diff.Changes.map(row), { format, table: TABLE, headers: HEADERS }));
    if (format === '') await context.stdout.write(`\n${summary(diff)}\n`);
    return 0;
  },
};

function delta({ FromSize, ToSize }: FileChange): number {
  return Number(ToSize) - Number(FromSize);
}

function signed(bytes: number): string {
  return `${bytes < 0 ? '-' : '+'}${humanSize(Math.abs(bytes), 3)}`;
}

function row(change: FileChange): Struct {
  return new Struct('*formatter.fileChangeContext', {
    Delta: () => signed(delta(change)),
    Kind: () => change.Kind,
    Path: () => printable(change.Path),
    Size: () => humanSize(change.ToSize, 3),
    Type: () => change.Type,
  });
}

/** `2 added (+1.2MB), 1 modified (-3kB), 0 removed (+0B)`. */
function summary({ Changes }: ImageDiff): string {
  return (['added', 'modified', 'removed'] as const)
    .map((kind) => {
      const those = Changes.filter((change) => change.Kind === kind);
      return `${those.length} ${kind} (${signed(those.reduce((sum, change) => sum + delta(change), 0))})`;
    })
    .join(', ');
}
