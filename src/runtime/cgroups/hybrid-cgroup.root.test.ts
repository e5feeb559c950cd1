import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { run } from '../../sys/spawn.ts';
import { hasUnifiedBesideV1 } from './hybrid-cgroup.ts';

test.skipIf(!hasUnifiedBesideV1())(
  'hideUnified() hides it from the namespace that asked, not from its peers',
  async () => {
    await run(['mount', '--make-rshared', '/sys/fs/cgroup']);
    const script = `const m = await import(${JSON.stringify(new URL('./hybrid-cgroup.ts', import.meta.url).pathname)});
    console.log(m.hideUnified(), m.hasUnifiedBesideV1());`;
    const child = await run(['unshare', '-m', '--propagation', 'unchanged', process.execPath, '-e', script]);
    expect(child.stdout.trim()).toBe('true false');
    expect(hasUnifiedBesideV1()).toBe(true);
    expect(readFileSync('/sys/fs/cgroup/unified/cgroup.controllers', 'utf8')).toBeDefined();
  },
);
