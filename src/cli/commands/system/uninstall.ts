import type { Command } from '../../command.ts';
import { execDaemon } from '../../exec-daemon.ts';
import { UNINSTALL_FLAGS } from './uninstall-flags.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  long: `Takes the engine off this machine: its containers, images and volumes, the daemon, its units, bridges, rules, cgroups, sockets and configuration. It asks first.
Nothing of others goes: packages stay, and so does what lies in its folders and isn't its own.`,
  flags: UNINSTALL_FLAGS,
  args: { min: 0, max: 0 },
  local: true,
  examples: [
    'uninstall',
    'uninstall --keep-data',
    'uninstall -f --data-root /srv/engine --exec-root /run/engine',
  ],
  run: async ({ flags, args }) => execDaemon(['uninstall'], { flags, args, known: UNINSTALL_FLAGS }),
};
