import { expect, test } from 'bun:test';
import { crc32c } from './crc32c.ts';

test('crc32c() of the check string (RFC 3720, inverted at both ends) and of the EROFS seed', () => {
  expect((crc32c(0xffffffff, Buffer.from('123456789')) ^ 0xffffffff) >>> 0).toBe(0xe3069283);
  // The kernel starts from the sum of the magic number and a zero checksum.
  expect(crc32c(0xffffffff, Buffer.from('e2e1f5e000000000', 'hex'))).toBe(0x5045b54a);
});
