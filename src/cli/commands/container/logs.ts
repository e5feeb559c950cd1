import { demultiplexJoined } from '../../../client/demultiplex.ts';
import { EngineError, messageOf } from '../../../errors/engine-error.ts';
import { formatUnixTime, parseTimeParameter } from '../../../wire/time.ts';
import type { Command } from '../../command.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTAINER',
  flags: [
    { name: 'details', kind: 'bool', usage: 'Show the extra attributes of each line' },
    { name: 'follow', short: 'f', kind: 'bool', usage: 'Go on with new output' },
    {
      name: 'since',
      kind: 'string',
      usage: 'From this time on ("2013-01-02T13:23:37Z", or "42m" for 42 minutes ago)',
    },
    { name: 'tail', short: 'n', kind: 'string', usage: 'Only so many of the last lines', default: 'all' },
    { name: 'timestamps', short: 't', kind: 'bool', usage: 'Show time stamps' },
    {
      name: 'until',
      kind: 'string',
      usage: 'Up to this time ("2013-01-02T13:23:37Z", or "42m" for 42 minutes ago)',
    },
  ],
  args: { min: 1, max: 1 },
  examples: ['logs -f web', 'logs --tail 20 --timestamps web'],
  async run({ context, client, flags, args }) {
    const [id = ''] = args;
    const container = await client.containers.inspect(id);
    const time = (name: string) => {
      const text = flags.string(name);
      if (text === '') return undefined;
      try {
        return formatUnixTime(parseTimeParameter(text));
      } catch (error) {
        throw new EngineError('invalid', `invalid value for "${name}": ${messageOf(error)}`);
      }
    };
    const { body } = await client.containers.logs(container.Id, {
      stdout: true,
      stderr: true,
      follow: flags.bool('follow'),
      since: time('since'),
      until: time('until'),
      tail: flags.string('tail'),
      timestamps: flags.bool('timestamps'),
      details: flags.bool('details'),
    });
    if (container.Config.Tty) for await (const chunk of body) await context.stdout.write(chunk);
    else
      for await (const { stream, data } of demultiplexJoined(body))
        await (stream === 'stdout' ? context.stdout : context.stderr).write(data);
    return 0;
  },
};
