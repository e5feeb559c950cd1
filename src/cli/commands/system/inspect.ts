import { ApiError } from '../../../client/api-error.ts';
import type { EngineClient } from '../../../client/engine-client.ts';
import { EngineError } from '../../../errors/engine-error.ts';
import type { Command } from '../../command.ts';
import { INSPECT_FORMAT_FLAG, inspectObjects } from '../inspect-objects.ts';

const TYPES = [
  'config',
  'container',
  'image',
  'network',
  'node',
  'plugin',
  'secret',
  'service',
  'task',
  'volume',
];

export const command: Command = {
  usage: '[OPTIONS] NAME|ID [NAME|ID...]',
  flags: [
    INSPECT_FORMAT_FLAG,
    { name: 'size', short: 's', kind: 'bool', usage: 'Show sizes of containers' },
    { name: 'type', kind: 'string', usage: 'Only objects of that type' },
  ],
  args: { min: 1 },
  examples: ['inspect web', "inspect -f '{{.State.Pid}}' web", 'inspect --type image busybox'],
  run: ({ context, client, flags, args }) => {
    const type = flags.string('type');
    if (flags.changed('type') && !TYPES.includes(type)) {
      const known = TYPES.map((each) => JSON.stringify(each)).join(', ');
      if (type === '') throw new EngineError('invalid', `type is empty: must be one of ${known}`);
      throw new EngineError('invalid', `unknown type: ${JSON.stringify(type)}: must be one of ${known}`);
    }
    const getters = gettersOf(client, flags.bool('size'));
    return inspectObjects(context, args, {
      format: flags.string('format'),
      get: (name) => (type === '' ? findAny(getters, name) : getOne(getters, type, name)),
    });
  },
};

type Getters = Record<string, (name: string) => Promise<string>>;

/** In the order in which a name without type is looked for. */
function gettersOf(client: EngineClient, size: boolean): Getters {
  return {
    container: (name) => client.containers.inspectText(name, { size }),
    image: (name) => client.images.inspectText(name),
    network: (name) => client.networks.inspectText(name),
    volume: (name) => client.volumes.inspectText(name),
  };
}

async function getOne(getters: Getters, type: string, name: string): Promise<string> {
  const get = getters[type];
  if (get === undefined)
    throw new EngineError('not-implemented', `Cannot inspect objects of type ${type}: this engine has none`);
  return get(name);
}

async function findAny(getters: Getters, name: string): Promise<string> {
  for (const get of Object.values(getters)) {
    try {
      return await get(name);
    } catch (error) {
      const absent =
        error instanceof ApiError && (error.status === 404 || error.status === 501 || error.status === 400);
      if (!absent) throw error;
    }
  }
  throw new EngineError('not-found', `Error: No such object: ${name}`);
}
