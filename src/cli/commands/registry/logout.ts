import { messageOf } from '../../../errors/engine-error.ts';
import type { Command } from '../../command.ts';
import { credentialStoreFor, HUB_SERVER, hostOf } from '../../credentials/credential-store.ts';
import { warnOfEnvironment } from '../../credentials/warn-of-environment.ts';

export const command: Command = {
  usage: '[SERVER]',
  long: 'Forget the login of a registry, by default of the Docker Hub.',
  flags: [],
  args: { min: 0, max: 1 },
  examples: ['logout registry.example.com'],
  async run({ context, args }) {
    await warnOfEnvironment(context);
    const [address = ''] = args;
    const host = address === '' ? HUB_SERVER : hostOf(address);
    // Older clients kept logins by whole addresses.
    const servers = address === '' ? [host] : [address, host, `http://${host}`, `https://${host}`];
    await context.stdout.write(`Removing login credentials for ${host}\n`);
    const failures = new Map<string, unknown>();
    for (const server of servers) {
      try {
        await (await credentialStoreFor(context, server)).erase(server);
      } catch (error) {
        failures.set(server, error);
      }
    }
    // One that went is enough.
    if (failures.size < servers.length) return 0;
    await context.stderr.write('WARNING: could not erase credentials:\n');
    for (const [server, error] of failures) await context.stderr.write(`${server}: ${messageOf(error)}\n`);
    return 0;
  },
};
