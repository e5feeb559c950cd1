import { must } from '../support/engine/command.ts';
import { startSeedRegistry } from '../support/engine/seed-registry.ts';
import { runEpisode } from './episode.ts';
import { type PlanOptions, planCampaign } from './plan.ts';
import { reapOrphans } from './reap-orphans.ts';
import { publishSampleImages } from './sample-images.ts';
import { newTally, type Tally } from './tally.ts';

export interface CampaignOptions {
  seed: number;
  plan: PlanOptions;
  /** The campaign ends at the first of these. */
  rounds: number;
  minutes: number;
  say?: (line: string) => void;
  logs?: string | undefined;
}

/** Run episodes of the schedule until rounds or time are used up. The caller is process 1 of namespaces of its own. */
export async function runCampaign(options: CampaignOptions): Promise<Tally> {
  const tally = newTally();
  const deadline = performance.now() + options.minutes * 60_000;
  const goesOn = () => tally.rounds < options.rounds && performance.now() < deadline;
  await must(['ip', 'link', 'set', 'lo', 'up']);
  const reaper = reapOrphans();
  const registry = await startSeedRegistry();
  try {
    const contents = await publishSampleImages(registry);
    const say = options.say ?? (() => undefined);
    for (const episode of planCampaign(options.seed, options.plan)) {
      if (!goesOn()) break;
      await runEpisode(episode, {
        mirror: registry.url,
        contents,
        tally,
        goesOn,
        say,
        logs: options.logs,
      });
    }
  } finally {
    await registry.close();
    reaper.stop();
  }
  return tally;
}
