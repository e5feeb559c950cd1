import { messageOf } from '../../../errors/engine-error.ts';
import { ExitError } from '../../cli-error.ts';
import type { Command } from '../../command.ts';
import { readManifestName } from '../../manifests/manifest-name.ts';
import { ManifestStore } from '../../manifests/manifest-store.ts';

export const command: Command = {
  usage: 'MANIFEST_LIST [MANIFEST_LIST...]',
  long: 'Remove lists made here. What was pushed stays at its registry.',
  flags: [],
  args: { min: 1 },
  examples: ['manifest rm registry.example.com/app:1'],
  async run({ context, args }) {
    const store = new ManifestStore(context.globals.configDirectory);
    const failures: string[] = [];
    for (const list of args)
      try {
        const { whole } = readManifestName(list);
        if (!(await store.remove(whole))) failures.push(`No such manifest: ${whole}`);
      } catch (error) {
        failures.push(messageOf(error));
      }
    if (failures.length > 0) throw new ExitError(1, failures.join('\n'));
    return 0;
  },
};
