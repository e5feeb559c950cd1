import { writeTar } from '../../../archive/tar-writer.ts';
import { EngineError } from '../../../errors/engine-error.ts';
import type { Command } from '../../command.ts';
import { ContextStore, type StoredContext } from '../../contexts/context-store.ts';
import { defaultHost } from '../../host.ts';
import { DEFAULT_CONTEXT } from '../../start-config.ts';
import { writeNewFile } from './write-new-file.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTEXT [FILE|-]',
  long: 'Export a context to a tar archive FILE or a tar stream on STDOUT. It holds the keys of its certificates.',
  flags: [],
  args: { min: 1, max: 2 },
  local: true,
  examples: ['context export lab', 'context export lab - | ssh host docker context import lab -'],
  async run({ context, args }) {
    const [name = '', file = `${name}.dockercontext`] = args;
    const stored =
      name === DEFAULT_CONTEXT
        ? defaultContext(defaultHost(context.hostChoice))
        : await new ContextStore(context.globals.configDirectory).get(name);
    const archive = Buffer.concat(await Array.fromAsync(writeTar(membersOf(stored))));
    if (file === '-') {
      if (context.stdout.isTerminal)
        throw new EngineError('invalid', 'cowardly refusing to export to a terminal, specify a file path');
      await context.stdout.write(archive);
      return 0;
    }
    await writeNewFile(context, file, archive);
    await context.stderr.write(`Written file ${JSON.stringify(file)}\n`);
    return 0;
  },
};

function defaultContext(host: string): StoredContext {
  return {
    metadata: {
      Name: DEFAULT_CONTEXT,
      Metadata: {},
      Endpoints: { docker: { Host: host, SkipTLSVerify: false } },
    },
    tls: {},
  };
}

function membersOf({ metadata, tls }: StoredContext) {
  const file = (path: string, data: Uint8Array, mode: number) => ({
    entry: { path, type: 'file' as const, mode, size: data.length },
    data: [data],
  });
  const directory = (path: string) => ({ entry: { path, type: 'directory' as const, mode: 0o700, size: 0 } });
  return [
    file('meta.json', Buffer.from(JSON.stringify(metadata)), 0o644),
    directory('tls'),
    ...(Object.keys(tls).length === 0 ? [] : [directory('tls/docker')]),
    ...Object.entries(tls).map(([name, pem]) => file(`tls/docker/${name}`, pem, 0o600)),
  ];
}
