import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Prepared roots, logs and results: outside the checkout, so that a second run starts from them. */
export interface MachineCache {
  roots: string;
  logs: string;
  results: string;
  /** Disks of machines that run. */
  disks: string;
}

export function openCache(): MachineCache {
  const base = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  const folder = join(base, 'sampan-machines');
  const at = (name: string) => {
    const path = join(folder, name);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return path;
  };
  return { roots: at('roots'), logs: at('logs'), results: at('results'), disks: at('disks') };
}
