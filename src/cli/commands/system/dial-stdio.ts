import { connectError } from '../../../client/http1/connect-error.ts';
import type { ByteStream } from '../../../client/transport.ts';
import type { Command } from '../../command.ts';
import type { CliContext } from '../../context.ts';

export const command: Command = {
  usage: '',
  long: 'Ties standard input and output to a connection to the daemon. Clients on other hosts call it through ssh; it is not meant to be typed.',
  flags: [],
  args: { min: 0, max: 0 },
  async run({ context }) {
    const connection = await context.dial().catch((error: unknown) => {
      throw connectError(context.endpoint, error);
    });
    // Who has said all may still be told something; who is told all has nothing more to say.
    const sending = send(context, connection);
    sending.catch(() => connection.close());
    for await (const chunk of connection.chunks) await context.stdout.write(chunk);
    connection.close();
    return 0;
  },
};

async function send({ stdin }: CliContext, connection: ByteStream): Promise<void> {
  for await (const chunk of stdin.chunks()) await connection.write(chunk);
  await connection.closeWrite();
}
