import type { Command } from '../../command.ts';
import { execDaemon } from '../../exec-daemon.ts';
import { GC_FLAGS } from './flags.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  long: 'Removes blobs that no manifest names. A registry that runs does it itself, beside pulls and pushes.',
  flags: GC_FLAGS,
  args: { min: 0, max: 0 },
  examples: ['registry gc --dry-run --untagged', 'registry gc --root /var/lib/sampan/registry'],
  run: async ({ flags, args }) => execDaemon(['registry', 'gc'], { flags, args, known: GC_FLAGS }),
};
