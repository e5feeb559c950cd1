import type { Command } from '../../command.ts';
import type { CliContext } from '../../context.ts';
import { ContextStore } from '../../contexts/context-store.ts';
import { contextName, defaultHost } from '../../host.ts';
import { DEFAULT_CONTEXT } from '../../start-config.ts';
import { INSPECT_FORMAT_FLAG, inspectObjects } from '../inspect-objects.ts';

const IN_MEMORY = '<IN MEMORY>';

export const command: Command = {
  usage: '[OPTIONS] [CONTEXT] [CONTEXT...]',
  flags: [INSPECT_FORMAT_FLAG],
  args: { min: 0 },
  local: true,
  async run({ context, flags, args }) {
    const names = args.length > 0 ? args : [contextName(context.hostChoice)];
    return await inspectObjects(context, names, {
      format: flags.string('format'),
      get: async (name) => JSON.stringify(await describe(context, name)),
    });
  },
};

async function describe(context: CliContext, name: string): Promise<object> {
  if (name === DEFAULT_CONTEXT)
    return {
      Name: name,
      Metadata: {},
      Endpoints: { docker: { Host: defaultHost(context.hostChoice), SkipTLSVerify: false } },
      TLSMaterial: {},
      Storage: { MetadataPath: IN_MEMORY, TLSPath: IN_MEMORY },
    };
  const store = new ContextStore(context.globals.configDirectory);
  const { metadata } = await store.get(name);
  const files = await store.tlsFiles(name);
  const { metadata: MetadataPath, tls: TLSPath } = store.places(name);
  const TLSMaterial = files.length === 0 ? {} : { docker: files };
  return { ...metadata, Name: name, TLSMaterial, Storage: { MetadataPath, TLSPath } };
}
