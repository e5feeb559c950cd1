import type { Command } from '../../command.ts';
import { ContextStore, checkContextName } from '../../contexts/context-store.ts';
import { DOCKER_ENDPOINT_HELP, readDockerEndpoint } from '../../contexts/docker-endpoint.ts';
import { CONTEXT_FLAGS, withEndpoint } from './create.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTEXT',
  long: `Update a context\n\n${DOCKER_ENDPOINT_HELP}`,
  flags: CONTEXT_FLAGS,
  args: { min: 1, max: 1 },
  local: true,
  examples: ['context update lab --description "the new lab" --docker host=tcp://lab2:2376'],
  async run({ context, flags, args }) {
    const [name = ''] = args;
    const store = new ContextStore(context.globals.configDirectory);
    checkContextName(name);
    let stored = await store.get(name);
    if (flags.changed('description'))
      stored.metadata.Metadata = { ...stored.metadata.Metadata, Description: flags.string('description') };
    if (flags.changed('docker'))
      stored = withEndpoint(stored, await readDockerEndpoint(flags.list('docker'), { context, store }));
    await store.put(name, stored);
    await context.stdout.write(`${name}\n`);
    await context.stderr.write(`Successfully updated context ${JSON.stringify(name)}\n`);
    return 0;
  },
};
