/** `ctrl-p ctrl-q` */
export const DEFAULT_DETACH_KEYS = Uint8Array.of(16, 17);

/**
 * Pass input on until `keys` were typed in a row; then call `onDetach` and end. Bytes that began the sequence without ending it are passed
 * on with the byte that broke it.
 */
export async function* untilDetached(
  input: AsyncIterable<Uint8Array>,
  keys: Uint8Array,
  onDetach: () => void,
): AsyncGenerator<Uint8Array> {
  let matched = 0;
  for await (const chunk of input) {
    const passed: number[] = [];
    for (const byte of chunk) {
      if (byte === keys[matched]) {
        matched++;
        if (matched < keys.length) continue;
        if (passed.length > 0) yield Uint8Array.from(passed);
        onDetach();
        return;
      }
      passed.push(...keys.subarray(0, matched));
      matched = byte === keys[0] ? 1 : 0;
      if (matched === 0) passed.push(byte);
    }
    if (passed.length > 0) yield Uint8Array.from(passed);
  }
}
