import type { Command } from '../../command.ts';
import { createContainer } from './create-container.ts';
import { createBody } from './create-options/create-body.ts';
import { CREATE_FLAGS } from './create-options/flags.ts';

export const command: Command = {
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  flags: CREATE_FLAGS,
  args: { min: 1 },
  interspersed: false,
  examples: ['create --name job busybox sleep 60'],
  async run(invocation) {
    const { context, flags, args } = invocation;
    const body = await createBody(flags, args, context);
    if (body.Tty) {
      const { width, height } = context.stdout.size();
      body.HostConfig.ConsoleSize = [height, width];
    }
    const { Id } = await createContainer(invocation, body);
    await context.stdout.write(`${Id}\n`);
    return 0;
  },
};
