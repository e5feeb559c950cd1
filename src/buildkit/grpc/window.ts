/**
 * Flow control windows of a stream and of its connection, which must be equal: Bun hangs on unequal ones after some hundred megabytes. More
 * lets a stream that nobody reads hold as much in memory; HTTP/2's own 64 KB cost a factor of three.
 */
export const WINDOW_BYTES = 1 << 20;
