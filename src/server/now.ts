/** The wall clock in nanoseconds since 1970, with millisecond truth; follows clock changes. */
export function nowNano(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}
