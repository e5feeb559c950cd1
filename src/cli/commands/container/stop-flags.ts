import type { Flag } from '../../flags/flag.ts';
import type { ParsedFlags } from '../../flags/flag-set.ts';

/** How `stop` and `restart` end a container; `--time` is the older name of `--timeout`. */
export const STOP_FLAGS: Flag[] = [
  { name: 'signal', short: 's', kind: 'string', usage: 'Signal to send' },
  { name: 'time', kind: 'int', usage: 'Seconds until it is killed', hidden: true },
  { name: 'timeout', short: 't', kind: 'int', usage: 'Seconds until it is killed' },
];

/** `timeout` in seconds; undefined leaves it to the container. */
export function stopOptions(flags: ParsedFlags): { signal: string; timeout: number | undefined } {
  const given = ['timeout', 'time'].find((name) => flags.changed(name));
  return { signal: flags.string('signal'), timeout: given === undefined ? undefined : flags.int(given) };
}
