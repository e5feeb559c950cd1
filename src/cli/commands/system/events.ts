import type { EventMessage } from '../../../client/model.ts';
import { stringifyJson } from '../../../wire/json.ts';
import { formatUnixTime, parseTimeParameter } from '../../../wire/time.ts';
import { ExitError } from '../../cli-error.ts';
import type { Command } from '../../command.ts';
import { localRfc3339Nano } from '../../output/local-time.ts';
import { Template } from '../../output/template/template.ts';
import { TemplateError } from '../../output/template/template-error.ts';
import { STRUCT } from '../../output/template/value.ts';
import { FILTER_FLAG, parseFilters } from '../filters.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  flags: [
    FILTER_FLAG,
    { name: 'format', kind: 'string', usage: "Format the output by a Go template, or 'json'" },
    { name: 'since', kind: 'string', usage: 'From this time on' },
    { name: 'until', kind: 'string', usage: 'Up to this time' },
  ],
  args: { min: 0, max: 0 },
  examples: ['events', 'events --since 10m --filter type=container'],
  async run({ context, client, flags }) {
    const time = (name: string) => {
      const text = flags.string(name);
      return text === '' ? undefined : formatUnixTime(parseTimeParameter(text));
    };
    const show = printer(flags.string('format'));
    const events = client.system.events({
      since: time('since'),
      until: time('until'),
      filters: parseFilters(flags.list('filter')),
    });
    for await (const event of events) await context.stdout.write(`${show(event)}\n`);
    return 0;
  },
};

const NO_EVENT: EventMessage = {
  Type: '',
  Action: '',
  Actor: { ID: '', Attributes: {} },
  scope: 'local',
  time: 0,
  timeNano: 0n,
};

function printer(format: string): (event: EventMessage) => string {
  if (format === '') return plain;
  if (format === 'json') return (event) => stringifyJson(ordered(event), { escapeHtml: true });
  try {
    const template = new Template(format.replaceAll('\\t', '\t').replaceAll('\\n', '\n'), {
      missingKey: 'error',
    });
    // What can't be shown of any is told before there is one.
    template.execute(templateData(NO_EVENT));
    return (event) => template.execute(templateData(event));
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new ExitError(64, `Error parsing format: ${error.message}`);
  }
}

/** As Go writes it, whose maps are sorted. */
function ordered(event: EventMessage): EventMessage {
  return { ...event, Actor: { ...event.Actor, Attributes: sorted(event) } };
}

/** Fields go by Go's names; what is shown whole has JSON's. */
function templateData(event: EventMessage): object {
  const { id, status, from, scope, time, timeNano } = event;
  const data = ordered(event);
  Object.defineProperty(data.Actor, STRUCT, { value: 'events.Actor' });
  return Object.defineProperties(data, {
    [STRUCT]: { value: '*events.Message' },
    ID: { value: id },
    Status: { value: status },
    From: { value: from },
    Scope: { value: scope },
    Time: { value: time },
    TimeNano: { value: timeNano },
  });
}

/** `2026-11-23T23:31:56.123456789Z container create <id> (image=x, name=y)`. */
function plain(event: EventMessage): string {
  const nano = event.timeNano ? BigInt(event.timeNano) : BigInt(event.time ?? 0) * 1_000_000_000n;
  const attributes = Object.entries(sorted(event)).map(([key, value]) => `${key}=${value}`);
  const actor = attributes.length === 0 ? '' : ` (${attributes.join(', ')})`;
  return `${localRfc3339Nano(nano)} ${event.Type} ${event.Action} ${event.Actor.ID}${actor}`;
}

function sorted({ Actor }: EventMessage): Record<string, string> {
  return Object.fromEntries(Object.entries(Actor.Attributes ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
