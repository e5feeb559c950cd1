import type { Command } from '../../command.ts';

/** Prints a script that makes a shell complete our command lines. */
export function shellCommand({
  shell,
  long,
  script,
}: {
  shell: string;
  long: string;
  script: (program: string, call: string) => string;
}): Command {
  return {
    usage: '[OPTIONS]',
    long: `Print what makes ${shell} complete command lines: commands, flags, and the names of containers, images, networks and volumes.\n\n${long}`,
    flags: [{ name: 'no-descriptions', kind: 'bool', usage: 'Complete without descriptions' }],
    args: { min: 0, max: 0 },
    local: true,
    async run({ context, flags }) {
      const call = flags.bool('no-descriptions') ? '__completeNoDesc' : '__complete';
      await context.stdout.write(script(context.program, call));
      return 0;
    },
  };
}
