import type { Flag } from '../../flags/flag.ts';

/** Of `sampan uninstall` and of the program that it becomes. */
export const UNINSTALL_FLAGS: readonly Flag[] = [
  { name: 'force', short: 'f', kind: 'bool', usage: 'Ask nothing' },
  { name: 'keep-data', kind: 'bool', usage: 'Keep images, containers, volumes and the configuration' },
  { name: 'data-root', kind: 'string', usage: "Data root of another engine than the machine's own" },
  { name: 'exec-root', kind: 'string', usage: 'Its exec root' },
  { name: 'pidfile', short: 'p', kind: 'string', usage: 'Its PID file' },
  { name: 'config-file', kind: 'string', usage: 'Its configuration file' },
];
