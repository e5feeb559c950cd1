import type { LiveContainer } from '../live-container.ts';
import { namespaceOwners } from '../namespaces/namespace-modes.ts';
import { startOrder } from './start-order.ts';

/** As many as keep two processors busy; each takes memory and a monitor that starts. */
const AT_ONCE = 8;

/** Start containers, those first whose namespaces others join. Resolves when each has been tried; `start` tells of failures itself. */
export async function startInOrder(
  due: readonly LiveContainer[],
  start: (container: LiveContainer) => Promise<void>,
): Promise<void> {
  const byId = new Map(due.map((container) => [container.id, container]));
  const order = startOrder(due.map(({ id, record }) => ({ id, needs: namespaceOwners(record.host) })));
  for (const group of order) {
    const left = group.values();
    const work = async () => {
      for (const id of left) {
        const container = byId.get(id);
        if (container !== undefined) await start(container);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }
}
