import { TarReader } from '../../../archive/tar-reader.ts';
import { decodeContext } from '../../../client/node/docker-context.ts';
import { EngineError } from '../../../errors/engine-error.ts';
import type { Command } from '../../command.ts';
import {
  ContextStore,
  checkContextName,
  PEM_FILES,
  type PemFiles,
  type StoredContext,
} from '../../contexts/context-store.ts';
import { openInput } from '../open-input.ts';

/** As in Docker. */
const MAX_BYTES = 10 * 1024 * 1024;

export const command: Command = {
  usage: 'CONTEXT FILE|-',
  long: 'Import a context from a tar file, as `context export` writes it',
  flags: [],
  args: { min: 2, max: 2 },
  local: true,
  async run({ context, args }) {
    const [name = '', file = ''] = args;
    const store = new ContextStore(context.globals.configDirectory);
    checkContextName(name);
    if (await store.has(name))
      throw new EngineError('conflict', `context ${JSON.stringify(name)} already exists`);
    const bytes = file === '-' ? context.stdin.chunks() : await openInput(context, file);
    await store.put(name, await readArchive(name, bytes));
    await context.stdout.write(`${name}\n`);
    await context.stderr.write(`Successfully imported context ${JSON.stringify(name)}\n`);
    return 0;
  },
};

/** @throws EngineError "invalid" for what is no archive of a context. */
async function readArchive(name: string, bytes: AsyncIterable<Uint8Array>): Promise<StoredContext> {
  let meta: string | undefined;
  const tls: PemFiles = {};
  let member = '';
  let parts: Uint8Array[] = [];
  const reader = new TarReader({
    entry({ path, type }) {
      member = type === 'file' ? path.replace(/^\.\//, '') : '';
      parts = [];
      if (member !== '' && member !== 'meta.json' && pemOf(member) === undefined)
        throw new EngineError('invalid', `invalid context: unexpected file ${JSON.stringify(path)}`);
    },
    // A view that lives as long as the piece it is of.
    data: (chunk) => void parts.push(chunk.slice()),
    endEntry() {
      const pem = pemOf(member);
      if (member === 'meta.json') meta = Buffer.concat(parts).toString();
      else if (pem !== undefined) tls[pem] = Buffer.concat(parts);
    },
  });
  let total = 0;
  for await (const chunk of bytes) {
    total += chunk.length;
    if (total > MAX_BYTES) throw new EngineError('invalid', `invalid context: more than ${MAX_BYTES} bytes`);
    reader.write(chunk);
  }
  reader.finish();
  if (meta === undefined) throw new EngineError('invalid', 'invalid context: no metadata found');
  return { metadata: decodeContext(name, meta), tls };
}

function pemOf(member: string): keyof PemFiles | undefined {
  return PEM_FILES.find((file) => member === `tls/docker/${file}`);
}
