import { EngineError } from '../../errors/engine-error.ts';

const VALUED = new Set(['size', 'mode', 'uid', 'gid', 'nr_inodes', 'nr_blocks', 'mpol']);
/** Flags that undo each other, under one name. */
const FLAGS: Record<string, string> = {
  ro: 'ro',
  rw: 'ro',
  exec: 'exec',
  noexec: 'exec',
  suid: 'suid',
  nosuid: 'suid',
  dev: 'dev',
  nodev: 'dev',
  sync: 'sync',
  async: 'sync',
  atime: 'atime',
  noatime: 'atime',
  diratime: 'diratime',
  nodiratime: 'diratime',
  relatime: 'relatime',
  norelatime: 'relatime',
  strictatime: 'strictatime',
  nostrictatime: 'strictatime',
  private: 'propagation',
  rprivate: 'propagation',
  shared: 'propagation',
  rshared: 'propagation',
  slave: 'propagation',
  rslave: 'propagation',
  unbindable: 'propagation',
  runbindable: 'propagation',
};

/**
 * Options of `--tmpfs`, over the defaults: the last of those that undo each other counts.
 *
 * @throws EngineError "invalid" for what tmpfs doesn't know: nothing else may reach mount(2).
 */
export function tmpfsOptions(defaults: readonly string[], asked: string): string[] {
  const options = new Map<string, string>();
  for (const option of [...defaults, ...asked.split(',')]) {
    if (option === '' || option === 'defaults') continue;
    const key = keyOf(option);
    if (key === undefined) throw new EngineError('invalid', `invalid tmpfs option ${JSON.stringify(option)}`);
    options.set(key, option);
  }
  return [...options.values()];
}

function keyOf(option: string): string | undefined {
  const equals = option.indexOf('=');
  if (equals < 0) return FLAGS[option];
  const name = option.slice(0, equals);
  return VALUED.has(name) && /^[\w%.:,-]+$/.test(option.slice(equals + 1)) ? name : undefined;
}
