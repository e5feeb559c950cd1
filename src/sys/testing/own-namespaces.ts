/** Whether scripts/test.mjs runs this file, in a mount and a pid namespace made for it: what mounts and kills must not do so on the machine. */
export function inOwnNamespaces(): boolean {
  return process.env['SAMPAN_TEST_RUN'] !== undefined;
}
