import type { VolumeAttributes } from '../../../client/volume-client.ts';
import type { Flag } from '../../flags/flag.ts';
import type { ParsedFlags } from '../../flags/flag-set.ts';

/** What a new volume is given, however it is made. Owner and mode are for Sampan's daemon alone. */
export const ATTRIBUTE_FLAGS: readonly Flag[] = [
  { name: 'label', kind: 'list', usage: 'Label the volume' },
  { name: 'mode', kind: 'string', usage: 'Mode of its folder (octal, as 0750)' },
  { name: 'owner', kind: 'string', usage: 'Owner of its folder (uid[:gid])' },
];

export function attributesOf(flags: ParsedFlags): VolumeAttributes {
  return {
    labels: pairs(flags.list('label')),
    owner: flags.string('owner') || undefined,
    mode: flags.string('mode') || undefined,
  };
}

/** `key=value`, or a key alone. */
export function pairs(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf('=');
      return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}
