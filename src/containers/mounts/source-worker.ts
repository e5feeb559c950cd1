import { closeSync, fstatSync, mkdirSync, readdirSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import { errnoCodeOf } from '../../errors/engine-error.ts';
import { bindMount } from '../../sys/mount.ts';
import { serveRequests } from '../../sys/request-thread.ts';
import { openSubpath } from './open-subpath.ts';
import type { FoundSource, SourceAnswer, SourceCall } from './source-threads.ts';

declare const self: Worker;

serveRequests<SourceCall, SourceAnswer>(self, (call) => {
  switch (call.kind) {
    case 'find':
      return find(call.path);
    case 'make':
      mkdirSync(call.path, { recursive: true, mode: 0o755 });
      return undefined;
    case 'bind':
      bindMount(call.path, call.target);
      return undefined;
    case 'bind-below':
      return bindBelow(call);
    case 'empty':
      return readdirSync(call.path).length === 0;
  }
});

function find(path: string): FoundSource | string {
  try {
    const directory = statSync(path).isDirectory();
    return { realPath: realpathSync(path), directory };
  } catch (error) {
    const code = errnoCodeOf(error);
    if (code === undefined) throw error;
    return code;
  }
}

function bindBelow({ base, subpath, target }: Extract<SourceCall, { kind: 'bind-below' }>): FoundSource {
  const found = openSubpath(base, subpath);
  try {
    const directory = fstatSync(found).isDirectory();
    if (directory) mkdirSync(target);
    else writeFileSync(target, '', { flag: 'wx' });
    bindMount(`/proc/self/fd/${found}`, target, { recursive: true });
    return { realPath: target, directory };
  } finally {
    closeSync(found);
  }
}
