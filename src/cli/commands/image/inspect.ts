import type { Command } from '../../command.ts';
import { INSPECT_FORMAT_FLAG, inspectObjects } from '../inspect-objects.ts';
import { platformJson } from './platform-json.ts';

export const command: Command = {
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  flags: [
    INSPECT_FORMAT_FLAG,
    { name: 'platform', sinceApi: '1.49', kind: 'string', usage: 'Platform of the image (os/architecture)' },
  ],
  args: { min: 1 },
  examples: ['image inspect busybox', "image inspect -f '{{.Config.Cmd}}' app:1 app:2"],
  run: ({ context, client, flags, args }) => {
    const platform = platformJson(flags.string('platform'));
    return inspectObjects(context, args, {
      format: flags.string('format'),
      get: (name) => client.images.inspectText(name, { platform }),
    });
  },
};
