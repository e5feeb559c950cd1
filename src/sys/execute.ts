import { ptr } from 'bun:ffi';
import { EngineError } from '../errors/engine-error.ts';
import { checked, cString, libc } from './libc.ts';

/** execve(2): this process becomes another program; on success there is nobody left to return to. @throws SyscallError */
export function execute(
  command: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): never {
  const argv = pointers(command);
  const envp = pointers(
    Object.entries(env).flatMap(([key, value]) => (value === undefined ? [] : `${key}=${value}`)),
  );
  const path = cString(command[0] ?? '');
  checked(libc.execve(path, argv.table, envp.table), 'execve', `start ${command[0]}`);
  throw new EngineError(
    'internal',
    `Cannot start ${command[0]}: ${argv.strings.length + envp.strings.length}`,
  );
}

function pointers(texts: readonly string[]): { table: BigUint64Array; strings: Buffer[] } {
  const strings = texts.map(cString);
  const table = new BigUint64Array(strings.length + 1);
  for (const [index, text] of strings.entries()) table[index] = BigInt(ptr(text));
  return { table, strings };
}
