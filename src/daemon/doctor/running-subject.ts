import type { DoctorCheck } from '../../wire/doctor.ts';
import { buildInfo } from '../build-info.ts';
import type { DaemonSettings } from '../daemon-settings.ts';
import type { Engine } from '../engine.ts';
import { finding, type Subject } from './check.ts';

/** The daemon that this process is: what its start found out is what it uses. */
export function runningSubject(engine: Engine, settings: DaemonSettings): Subject {
  const { chosen, runtime, networks, registry } = engine;
  return {
    running: true,
    settings,
    settingsProblem: undefined,
    isRoot: true,
    registry,
    bridgeNames: async () => {
      const infos = await networks.list();
      return infos.filter(({ driver }) => driver === 'bridge').map(({ id, options }) => nameOf(id, options));
    },
    storage: async () => chosen.storage,
    runtime: async () => ({
      info: await runtime.info(),
      rejected: chosen.rejectedRuntimes,
      takesShortcuts: runtime.takesShortcuts,
    }),
    daemon: async () => daemonFindings(engine, settings),
  };
}

function nameOf(id: string, options: Readonly<Record<string, string>>): string {
  return options['com.docker.network.bridge.name'] ?? `br-${id.slice(0, 12)}`;
}

function daemonFindings({ containers }: Engine, settings: DaemonSettings): DoctorCheck[] {
  const { running, paused, stopped } = containers.counts();
  const file = settings.configFile ?? 'no configuration file';
  const found = `version ${buildInfo.version} runs; ${running + paused} of ${running + paused + stopped} containers run`;
  const daemon = finding('daemon', 'ok', found, {
    details: [`${file}; data in ${settings.dataRoot}, run state in ${settings.execRoot}`],
  });
  if (settings.warnings.length === 0) return [daemon];
  const configuration = finding('configuration', 'note', 'settings that have no effect', {
    details: settings.warnings,
    advice: `take them out of ${file}`,
  });
  return [daemon, configuration];
}
