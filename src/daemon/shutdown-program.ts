import { messageOf } from '../errors/engine-error.ts';
import { findInstallation } from './uninstall/installation.ts';
import { daemonClient, endTasks } from './uninstall/stop-containers.ts';

/**
 * `sampand shutdown [the daemon's own flags]`: what sampan-shutdown.service runs as the machine goes down. All containers stop, each by its own signal
 * and in its own time; what their restart policies say holds at the next boot. Without a daemon they are asked to end, and killed ten
 * seconds later.
 */
export async function runShutdown(args: readonly string[]): Promise<void> {
  const found = findInstallation(args, { keepData: true });
  const client = await daemonClient(found);
  if (client === undefined) return await endTasks(found.settings);
  try {
    await client.system.stopContainers();
  } catch (error) {
    process.stderr.write(`sampand: ${messageOf(error)}\n`);
    await endTasks(found.settings);
  }
}
