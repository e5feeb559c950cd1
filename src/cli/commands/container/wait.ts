import { ApiError } from '../../../client/api-error.ts';
import type { Command } from '../../command.ts';
import { eachName } from '../each-name.ts';

export const command: Command = {
  usage: 'CONTAINER [CONTAINER...]',
  flags: [],
  args: { min: 1 },
  run: ({ context, client, args }) =>
    eachName(
      context,
      args,
      async (id) => {
        const { StatusCode, Error } = await client.containers.wait(id).result;
        const message = Error?.Message ?? '';
        if (message !== '') throw new ApiError(500, message);
        return StatusCode;
      },
      { print: (_name, status) => `${status}\n` },
    ),
};
