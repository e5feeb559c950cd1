import { archiveCases } from './archive-cases.ts';
import type { CopyCase } from './copy-case.ts';
import { optionCases } from './option-cases.ts';
import { pathCases } from './path-cases.ts';

export const copyCases: readonly CopyCase[] = [...pathCases, ...optionCases, ...archiveCases];
