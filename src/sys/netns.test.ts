import { expect, test } from 'bun:test';
import { isNamespacePinned, NamespaceVisitor, removePinnedNamespace } from './netns.ts';

test('the main thread must not leave its namespace', () => {
  expect(() => new NamespaceVisitor()).toThrow('worker threads only');
});

test('a namespace is told from a plain file and from nothing', () => {
  expect(isNamespacePinned('/proc/self/ns/net')).toBe(true);
  expect(isNamespacePinned('/etc/passwd')).toBe(false);
  expect(isNamespacePinned('/absent')).toBe(false);
});

test('removing what is not there is fine', () => {
  expect(() => removePinnedNamespace('/tmp/sampan-absent/x')).not.toThrow();
});
