/** Rows or columns as the kernel's `struct winsize` takes them. */
export function terminalSide(value: number): number {
  return Math.max(0, Math.min(0xffff, Math.trunc(value)));
}
