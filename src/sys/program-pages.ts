import { readFileSync, readlinkSync } from 'node:fs';
import { libc } from './libc.ts';

const MADV_DONTNEED = 4;

interface Mapping {
  start: bigint;
  sizeBytes: bigint;
}

/**
 * Let go of the program's own code and constants, which the process has mapped in since it started. What it runs next is mapped again from
 * the page cache, at a minor fault per 64 KB; what it never runs again stays unmapped, and the kernel may drop it.
 */
export function dropProgramPages(): void {
  const program = readlinkSync('/proc/self/exe');
  // Advice: where the kernel doesn't take it, the pages stay, as they would have without asking.
  for (const { start, sizeBytes } of unchangedMappings(readFileSync('/proc/self/smaps', 'utf8'), program))
    libc.madvise(start, sizeBytes, MADV_DONTNEED);
}

/** Mappings of a file that cannot be written and hold no page that differs from the file: MADV_DONTNEED would revert those to it. */
export function unchangedMappings(smaps: string, file: string): Mapping[] {
  return smaps.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m).flatMap((mapping) => {
    const header = /^([0-9a-f]+)-([0-9a-f]+) r-[x-]p \S+ \S+ \d+ +(.*)$/m.exec(mapping);
    const [, start = '', end = '', path] = header ?? [];
    if (path !== file || !/^Anonymous: +0 kB$/m.test(mapping)) return [];
    return [{ start: BigInt(`0x${start}`), sizeBytes: BigInt(`0x${end}`) - BigInt(`0x${start}`) }];
  });
}
