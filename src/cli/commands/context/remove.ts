import { EngineError } from '../../../errors/engine-error.ts';
import { changeConfig } from '../../change-config.ts';
import type { Command } from '../../command.ts';
import { ContextStore } from '../../contexts/context-store.ts';
import { removeMember } from '../../credentials/config-text.ts';
import { DEFAULT_CONTEXT } from '../../start-config.ts';
import { eachName } from '../each-name.ts';

export const command: Command = {
  usage: 'CONTEXT [CONTEXT...]',
  flags: [{ name: 'force', short: 'f', kind: 'bool', usage: 'Remove also the one in use' }],
  args: { min: 1 },
  local: true,
  async run({ context, flags, args }) {
    const store = new ContextStore(context.globals.configDirectory);
    const force = flags.bool('force');
    const remove = async (name: string): Promise<void> => {
      if (name === DEFAULT_CONTEXT) throw new EngineError('conflict', 'context "default" cannot be removed');
      if (!force && !(await store.has(name)))
        throw new EngineError('not-found', `context ${JSON.stringify(name)} does not exist`);
      const inUse = context.config.currentContext === name;
      if (inUse && !force)
        throw new EngineError(
          'conflict',
          `context ${JSON.stringify(name)} is in use, set -f flag to force remove`,
        );
      if (inUse) await changeConfig(context, (text) => removeMember(text, ['currentContext']));
      await store.remove(name);
    };
    return await eachName(context, args, remove, { atOnce: 1 });
  },
};
