import { EngineError, messageOf } from '../../errors/engine-error.ts';
import { type Check, finding, needsRoot } from './check.ts';

/** What starts containers, and how fast it may. */
export const checkRuntime: Check = {
  name: 'runtime',
  async run(subject) {
    if (!subject.running && !subject.isRoot) return [needsRoot('runtime')];
    try {
      const { info, rejected, takesShortcuts } = await subject.runtime();
      const found = `${info.name} ${info.version} (${info.path}) under conmon ${info.monitorVersion}`;
      if (takesShortcuts)
        return [finding('runtime', 'ok', `${found}, on the short way: its filter compiled once`)];
      const isCrun = info.name === 'crun';
      return [
        finding('runtime', 'note', `${found}, on the plain way`, {
          details: [...rejected, ...(isCrun ? ['crun does not enforce a filter that is handed over'] : [])],
          cost: `each start takes about ${isCrun ? 20 : 40} ms more`,
          command:
            isCrun || rejected.some((text) => !text.includes('not installed')) ? '' : 'apt-get install crun',
        }),
      ];
    } catch (error) {
      const hint = error instanceof EngineError ? error.hint : undefined;
      return [
        finding('runtime', 'failure', messageOf(error), {
          details: hint === undefined ? [] : [hint],
          cost: 'the daemon does not start',
          command: 'apt-get install crun conmon',
        }),
      ];
    }
  },
};
