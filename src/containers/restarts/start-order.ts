/** A container that is to be started, and those whose namespaces it joins. */
export interface DueStart {
  id: string;
  needs: readonly string[];
}

/**
 * Groups to be started one after the other, each at once: nobody comes before one whose namespaces it joins. What needs itself over others
 * comes last: its start tells what is wrong with it.
 */
export function startOrder(due: readonly DueStart[]): string[][] {
  const groups: string[][] = [];
  let left = [...due];
  while (left.length > 0) {
    const waiting = new Set(left.map(({ id }) => id));
    const ready = left.filter(({ needs }) => !needs.some((need) => waiting.has(need)));
    if (ready.length === 0) return [...groups, left.map(({ id }) => id)];
    groups.push(ready.map(({ id }) => id));
    const started = new Set(ready);
    left = left.filter((one) => !started.has(one));
  }
  return groups;
}
