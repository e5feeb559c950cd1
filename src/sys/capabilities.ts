import { checked, libc } from './libc.ts';

/** Numbers of capabilities, <linux/capability.h>. */
export const capability = { sysResource: 24 } as const;

const VERSION_3 = 0x20080522;
/** Of two words of each set, which follow one another as effective, permitted, inheritable. */
const WORD_FIELDS = 3;

/**
 * Run `work`, which must not wait, while this thread does without a capability; it has it again afterwards.
 *
 * @throws SyscallError.
 */
export function withoutCapability<T>(number: number, work: () => T): T {
  const header = new Uint32Array([VERSION_3, 0]);
  const sets = new Uint32Array(2 * WORD_FIELDS);
  checked(libc.capget(header, sets), 'capget', 'read the capabilities of this thread');
  const fewer = sets.slice();
  const word = Math.floor(number / 32) * WORD_FIELDS;
  fewer[word] = (fewer[word] ?? 0) & ~(1 << (number % 32));
  checked(libc.capset(header, fewer), 'capset', `give up capability ${number}`);
  try {
    return work();
  } finally {
    checked(libc.capset(header, sets), 'capset', `take capability ${number} up again`);
  }
}
