import type { ImageSearchResult } from '../../../client/model.ts';
import { EngineError } from '../../../errors/engine-error.ts';
import type { Command } from '../../command.ts';
import type { Invocation } from '../../context.ts';
import { registryAuthIfAny } from '../../credentials/registry-auth.ts';
import { TLS_VERIFY_FLAG } from '../../flags/tls-verify-flag.ts';
import { readImageName } from '../../image-name.ts';
import { ellipsis } from '../../output/labels.ts';
import { formatList } from '../../output/list-format.ts';
import { printable } from '../../output/printable.ts';
import { Struct } from '../../output/template/value.ts';
import { FILTER_FLAG, parseFilters } from '../filters.ts';

const HEADERS = { Name: 'NAME', Description: 'DESCRIPTION', StarCount: 'STARS', IsOfficial: 'OFFICIAL' };
const TABLE = '{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}';
const DESCRIPTION_WIDTH = 45;

export const command: Command = {
  usage: '[OPTIONS] TERM',
  flags: [
    FILTER_FLAG,
    { name: 'format', kind: 'string', usage: 'Format the output by a Go template' },
    { name: 'limit', kind: 'int', usage: 'Show at most so many' },
    { name: 'list-tags', kind: 'bool', usage: 'Show the tags of the repository TERM' },
    { name: 'no-trunc', kind: 'bool', usage: 'Show values whole' },
    TLS_VERIFY_FLAG,
  ],
  args: { min: 1, max: 1 },
  examples: [
    'search busybox',
    'search --filter is-official=true --limit 5 nginx',
    'search localhost:5000/app',
    'search --list-tags busybox',
  ],
  async run(invocation) {
    const { context, client, flags, args } = invocation;
    if (flags.bool('list-tags')) return listTags(invocation);
    const [term = ''] = args;
    const filters = parseFilters(flags.list('filter'));
    if (filters['is-automated'] !== undefined) await context.stderr.write(AUTOMATED_WARNING);
    const limit = flags.int('limit');
    const results = await client.images.search(term, {
      limit: limit > 0 ? limit : undefined,
      filters,
      auth: await registryAuthIfAny(context, domainOf(term)),
      tlsVerify: flags.bool('tls-verify'),
    });
    const format = flags.string('format');
    const options = {
      truncate: !flags.bool('no-trunc'),
      json: format === 'json' || /\{\{ *json \. *\}\}/.test(format),
    };
    const rows = results.map((result) => row(result, options));
    await context.stdout.write(formatList(rows, { format, table: TABLE, headers: HEADERS }));
    return 0;
  },
};

async function listTags({ context, client, flags, args }: Invocation): Promise<number> {
  if (flags.list('filter').length > 0)
    throw new EngineError('invalid', 'conflicting options: cannot specify both --filter and --list-tags');
  const name = readImageName(args[0] ?? '');
  if (name.tag !== undefined || name.digest !== undefined)
    throw new EngineError('invalid', "tag can't be used with --list-tags");
  const limit = flags.int('limit');
  const { Tags } = await client.images.tags(name.repository, {
    limit: limit > 0 ? limit : undefined,
    auth: await registryAuthIfAny(context, name.domain),
    tlsVerify: flags.bool('tls-verify'),
  });
  const rows = Tags.map(
    (tag) => new Struct('*registry.tagContext', { Name: () => name.familiarRepository, Tag: () => tag }),
  );
  await context.stdout.write(
    formatList(rows, {
      format: flags.string('format'),
      table: '{{.Name}}\t{{.Tag}}',
      headers: { Name: 'NAME', Tag: 'TAG' },
    }),
  );
  return 0;
}

const AUTOMATED_WARNING =
  'WARNING: the "is-automated" filter is deprecated, and searching for "is-automated=true" will not yield any results in future.\n';

/** The registry that a search goes to: the hub unless the term begins with a host. */
function domainOf(term: string): string {
  const slash = term.indexOf('/');
  const first = slash < 0 ? '' : term.slice(0, slash);
  return /[.:]/.test(first) || first === 'localhost' ? first : 'docker.io';
}

function row(result: ImageSearchResult, { truncate, json }: { truncate: boolean; json: boolean }): Struct {
  // A registry's texts: they may not steer the terminal. In JSON they can't.
  const shown = json ? (text: string) => text : printable;
  const description = shown(result.description.replaceAll(/[\n\r]/g, ' '));
  return new Struct('*registry.searchContext', {
    Description: () => (truncate ? ellipsis(description, DESCRIPTION_WIDTH) : description),
    IsOfficial: () => (json ? String(result.is_official) : result.is_official ? '[OK]' : ''),
    Name: () => shown(result.name),
    StarCount: () => String(result.star_count),
  });
}
