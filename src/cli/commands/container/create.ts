import type { Command } from '../../command.ts';
import { checkPullPolicy, createContainer } from './create-container.ts';
import { type CreateBody, createBody } from './create-options/create-body.ts';
import { CREATE_FLAGS } from './create-options/flags.ts';
import { failure } from './start-failure.ts';

export const command: Command = {
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  flags: CREATE_FLAGS,
  args: { min: 1 },
  interspersed: false,
  examples: ['create --name job busybox sleep 60'],
  async run(invocation) {
    const { context, flags, args } = invocation;
    let body: CreateBody;
    try {
      body = await createBody(flags, args, context);
      checkPullPolicy(flags);
    } catch (error) {
      throw failure(invocation, error, { command: 'create' });
    }
    if (body.Tty) {
      const { width, height } = context.stdout.size();
      body.HostConfig.ConsoleSize = [height, width];
    }
    const { Id } = await createContainer(invocation, body);
    await context.stdout.write(`${Id}\n`);
    return 0;
  },
};
