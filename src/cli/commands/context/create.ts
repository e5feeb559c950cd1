import { EngineError } from '../../../errors/engine-error.ts';
import type { Command } from '../../command.ts';
import type { Invocation } from '../../context.ts';
import { ContextStore, checkContextName, type StoredContext } from '../../contexts/context-store.ts';
import { DOCKER_ENDPOINT_HELP, endpointOf, readDockerEndpoint } from '../../contexts/docker-endpoint.ts';
import type { Flag } from '../../flags/flag.ts';

/** Shared with `context update`. */
export const CONTEXT_FLAGS: readonly Flag[] = [
  { name: 'description', kind: 'string', usage: 'Description of the context' },
  {
    name: 'docker',
    kind: 'list',
    typeName: 'stringToString',
    usage: 'Set the Docker endpoint',
    shownDefault: '[]',
  },
];

export const command: Command = {
  usage: '[OPTIONS] CONTEXT',
  long: `Create a context\n\n${DOCKER_ENDPOINT_HELP}`,
  flags: [
    ...CONTEXT_FLAGS,
    { name: 'from', kind: 'string', usage: 'Create the context from another one, by its name' },
  ],
  args: { min: 1, max: 1 },
  local: true,
  examples: [
    'context create build-server --docker host=ssh://me@build-server',
    'context create lab --description "the lab" --docker "host=tcp://lab:2376,ca=ca.pem,cert=cert.pem,key=key.pem"',
  ],
  async run(invocation) {
    const { context, flags, args } = invocation;
    const [name = ''] = args;
    const store = new ContextStore(context.globals.configDirectory);
    checkContextName(name);
    if (await store.has(name))
      throw new EngineError('conflict', `context ${JSON.stringify(name)} already exists`);
    const stored = await storedContext(invocation, store);
    if (flags.changed('description')) stored.metadata.Metadata['Description'] = flags.string('description');
    await store.put(name, stored);
    await context.stdout.write(`${name}\n`);
    await context.stderr.write(`Successfully created context ${JSON.stringify(name)}\n`);
    return 0;
  },
};

async function storedContext(
  { context, flags, args }: Invocation,
  store: ContextStore,
): Promise<StoredContext> {
  const from = flags.string('from');
  if (from !== '') {
    if (flags.changed('docker'))
      throw new EngineError('invalid', 'cannot use --docker flag when --from is set');
    const { metadata, tls } = await store.get(from);
    return { metadata: { ...metadata, Metadata: { ...metadata.Metadata } }, tls };
  }
  const words = flags.list('docker');
  const { endpoint, tls } = await readDockerEndpoint(words, { context, store });
  // As in Docker: what copies the default one says so.
  const Metadata = words.length === 0 ? { Description: 'Current DOCKER_HOST based configuration' } : {};
  return { metadata: { Name: args[0] ?? '', Metadata, Endpoints: { docker: endpoint } }, tls };
}

/** The same endpoint, whatever else the context holds. */
export function withEndpoint(
  stored: StoredContext,
  { endpoint, tls }: ReturnType<typeof endpointOf>,
): StoredContext {
  const { metadata } = stored;
  return { metadata: { ...metadata, Endpoints: { ...metadata.Endpoints, docker: endpoint } }, tls };
}
