/** One line of the table: what was done, and the figures of each side. */
export interface BenchRow {
  what: string;
  unit: 'ms' | 'MB';
  sampan: readonly number[];
  other: readonly number[] | undefined;
  /** Whom `other` belongs to. */
  otherName: string;
  /** The ratio to reach, e.g. 0.2 for a fifth. */
  goal: number | undefined;
  /** A bound on our own median, whatever the other side does. */
  limit?: number;
  note?: string;
}
