import type { Command } from '../../command.ts';
import { execDaemon } from '../../exec-daemon.ts';
import { SERVE_FLAGS } from './flags.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  long: `Serves images by the OCI distribution protocol, in the foreground, until it is interrupted. Without --writable or --htpasswd nobody can push. With --proxy it
fetches what it does not have from another registry, and keeps what was used last.`,
  flags: SERVE_FLAGS,
  args: { min: 0, max: 0 },
  examples: [
    'registry serve --writable',
    'registry serve --addr 0.0.0.0:5000 --htpasswd users --tls-cert cert.pem --tls-key key.pem',
    'registry serve --addr 0.0.0.0:5000 --proxy https://registry-1.docker.io --max-size 50GB',
  ],
  run: async ({ flags, args }) => execDaemon(['registry', 'serve'], { flags, args, known: SERVE_FLAGS }),
};
