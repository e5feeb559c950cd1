import type { CacheRecord } from './cache-record.ts';
import { OldestFirst } from './oldest-first.ts';

export interface PrunePlan {
  /** Bytes that may stay of all records; 0: no such limit. */
  keepBytes: number;
  /** Whether a record may go. */
  mayGo: (record: CacheRecord) => boolean;
  /** What a record's removal frees. */
  sizeOf: (record: CacheRecord) => number;
}

/** What is to go so that no more than `keepBytes` is left: the longest unused first, none before those that stand on it. */
export function planPrune(
  records: readonly CacheRecord[],
  { keepBytes, mayGo, sizeOf }: PrunePlan,
): CacheRecord[] {
  const children = new Map<string, number>();
  for (const { parent } of records)
    if (parent !== undefined) children.set(parent, (children.get(parent) ?? 0) + 1);
  const free = new OldestFirst();
  /** By the chain that others stand on. */
  const blocked = new Map<string, CacheRecord[]>();
  for (const record of records.filter(mayGo)) {
    const chain = record.layer?.chainId;
    if (chain === undefined || !children.has(chain)) free.add(record);
    else blocked.set(chain, [...(blocked.get(chain) ?? []), record]);
  }
  let left = records.reduce((sum, record) => sum + sizeOf(record), 0);
  const gone: CacheRecord[] = [];
  while (keepBytes === 0 || left > keepBytes) {
    const record = free.take();
    if (record === undefined) break;
    gone.push(record);
    left -= sizeOf(record);
    const { parent } = record;
    if (parent === undefined) continue;
    const others = (children.get(parent) ?? 1) - 1;
    children.set(parent, others);
    if (others === 0) for (const bare of blocked.get(parent) ?? []) free.add(bare);
  }
  return gone;
}
