import { abortable } from '../../sys/abortable.ts';
import type { LiveContainer } from '../live-container.ts';

type Runs = Pick<LiveContainer, 'task' | 'cleaning'>;

/** More runs than a container has while one child begins. */
const MOST_RUNS = 10;

/** What failed because the container's root went with its run, or came with the next one, is tried on what is there now. */
export async function inOneRun<T>(container: Runs, signal: AbortSignal, act: () => Promise<T>): Promise<T> {
  for (let runs = 1; ; runs++) {
    const { task } = container;
    try {
      return await act();
    } catch (error) {
      signal.throwIfAborted();
      if (container.task === task || runs === MOST_RUNS) throw error;
      await abortable(Promise.allSettled([container.cleaning]), signal);
    }
  }
}
