import { messageOf } from '../errors/engine-error.ts';
import { findEngine } from './uninstall/installation.ts';
import { daemonClient, endTasks } from './uninstall/stop-containers.ts';

/** A daemon that is at work, or finds its containers again, may take its time. */
const BUSY_MS = 60_000;

/**
 * `sampand shutdown [the daemon's own flags]`: what sampan-shutdown.service runs as the machine goes down. All containers stop, each by its own signal
 * and in its own time; what their restart policies say holds at the next boot. Without a daemon they are asked to end, and killed ten
 * seconds later.
 */
export async function runShutdown(args: readonly string[]): Promise<void> {
  const found = findEngine(args);
  const client = await daemonClient(found, BUSY_MS);
  if (client === undefined) return await endTasks(found.settings);
  try {
    await client.system.stopContainers();
  } catch (error) {
    process.stderr.write(`sampand: ${messageOf(error)}\n`);
    await endTasks(found.settings);
  }
}
