import type { Command } from '../../command.ts';
import { execDaemon } from '../../exec-daemon.ts';
import { LIST_FLAGS } from './flags.ts';

export const command: Command = {
  usage: '[OPTIONS] [REPOSITORY]',
  long: "Lists the repositories of a registry's folder, their tags and sizes, whether or not the registry runs.",
  flags: LIST_FLAGS,
  args: { min: 0, max: 1 },
  examples: ['registry ls', 'registry ls --root /var/lib/sampan/registry library/busybox'],
  run: async ({ flags, args }) => execDaemon(['registry', 'ls'], { flags, args, known: LIST_FLAGS }),
};
