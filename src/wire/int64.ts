/** An int64 of the API: a number where it is a safe integer, else a bigint (see json.ts). */
export type Int64 = number | bigint;
