/** One side of a comparison. `work` is timed unless it returns a figure of its own. */
export interface Contestant {
  before?: () => Promise<void> | void;
  work: () => Promise<number | undefined> | Promise<void> | number | void;
}

/**
 * Run the contestants A B A B …: one warm-up round that counts for nothing, then `runs` rounds. What disturbs the machine for some
 * seconds so hits both alike.
 *
 * @returns For each contestant its figures, milliseconds unless `work` returns others.
 */
export async function inTurn(contestants: readonly Contestant[], runs: number): Promise<number[][]> {
  const figures = contestants.map((): number[] => []);
  for (let round = -1; round < runs; round++) {
    for (const [index, contestant] of contestants.entries()) {
      await contestant.before?.();
      const started = performance.now();
      const own = await contestant.work();
      const figure = own ?? performance.now() - started;
      if (round >= 0) figures[index]?.push(figure);
    }
  }
  return figures;
}
