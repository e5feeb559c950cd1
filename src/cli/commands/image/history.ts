import type { HistoryEntry } from '../../../client/model.ts';
import { humanDuration } from '../../../wire/human-duration.ts';
import type { Command } from '../../command.ts';
import { humanSize } from '../../output/human-size.ts';
import { ellipsis, shortId } from '../../output/labels.ts';
import { formatList, LIST_FORMAT_FLAG } from '../../output/list-format.ts';
import { localRfc3339 } from '../../output/local-time.ts';
import { Struct } from '../../output/template/value.ts';
import { platformJson } from './platform-json.ts';

const HEADERS = {
  ID: 'IMAGE',
  CreatedSince: 'CREATED',
  CreatedAt: 'CREATED AT',
  CreatedBy: 'CREATED BY',
  Size: 'SIZE',
  Comment: 'COMMENT',
};

export const command: Command = {
  usage: '[OPTIONS] IMAGE',
  flags: [
    LIST_FORMAT_FLAG,
    {
      name: 'human',
      short: 'H',
      kind: 'bool',
      usage: 'Show sizes and times as people read them',
      default: 'true',
    },
    { name: 'no-trunc', kind: 'bool', usage: 'Show values whole' },
    { name: 'platform', sinceApi: '1.48', kind: 'string', usage: 'Platform of the image (os/architecture)' },
    { name: 'quiet', short: 'q', kind: 'bool', usage: 'Show IDs only' },
  ],
  args: { min: 1, max: 1 },
  examples: ['history busybox', "history --no-trunc --format '{{.CreatedBy}}' app:1"],
  async run({ context, client, flags, args }) {
    const entries = await client.images.history(args[0] ?? '', {
      platform: platformJson(flags.string('platform'), { prefix: 'invalid platform: ' }),
    });
    const human = flags.bool('human');
    const options = { truncate: !flags.bool('no-trunc'), human, now: context.now() };
    const format = flags.string('format');
    const created = human ? '{{.CreatedSince}}' : '{{.CreatedAt}}';
    const text = formatList(
      entries.map((entry) => row(entry, options)),
      {
        format: flags.bool('quiet') && (format === '' || format === 'table') ? '{{.ID}}' : format,
        table: `{{.ID}}\t${created}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}`,
        headers: HEADERS,
      },
    );
    await context.stdout.write(text);
    return 0;
  },
};

/** 2000-01-01: what is older was made reproducible, not made then. */
const EPOCH = 946_684_800;

function row(entry: HistoryEntry, options: { truncate: boolean; human: boolean; now: number }): Struct {
  const { truncate, human, now } = options;
  const by = entry.CreatedBy.replaceAll('\t', ' ');
  return new Struct('*formatter.historyContext', {
    Comment: () => entry.Comment,
    CreatedAt: () => localRfc3339(entry.Created),
    CreatedBy: () => (truncate ? ellipsis(by, 45) : by),
    CreatedSince: () => {
      if (!human) return localRfc3339(entry.Created);
      return entry.Created <= EPOCH ? 'N/A' : `${humanDuration(now - entry.Created)} ago`;
    },
    ID: () => (truncate ? shortId(entry.Id) : entry.Id),
    Size: () => (human ? humanSize(entry.Size, 3) : String(entry.Size)),
  });
}
