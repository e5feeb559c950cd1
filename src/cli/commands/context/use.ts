import { changeConfig } from '../../change-config.ts';
import type { Command } from '../../command.ts';
import { ContextStore } from '../../contexts/context-store.ts';
import { removeMember, setMember } from '../../credentials/config-text.ts';
import { DEFAULT_CONTEXT } from '../../start-config.ts';

export const command: Command = {
  usage: 'CONTEXT',
  flags: [],
  args: { min: 1, max: 1 },
  local: true,
  examples: ['context use build-server', 'context use default'],
  async run({ context, args }) {
    const [name = ''] = args;
    if (name !== DEFAULT_CONTEXT) await new ContextStore(context.globals.configDirectory).get(name);
    await changeConfig(context, (text) =>
      name === DEFAULT_CONTEXT
        ? removeMember(text, ['currentContext'])
        : setMember(text, ['currentContext'], JSON.stringify(name)),
    );
    await context.stdout.write(`${name}\n`);
    await context.stderr.write(`Current context is now ${JSON.stringify(name)}\n`);
    if (name !== DEFAULT_CONTEXT && context.env.DOCKER_HOST)
      await context.stderr.write(
        `Warning: DOCKER_HOST environment variable overrides the active context. To use ${JSON.stringify(name)}, either set the global --context flag, or unset DOCKER_HOST environment variable.\n`,
      );
    return 0;
  },
};
