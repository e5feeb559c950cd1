import { expect, test } from 'bun:test';
import { deserializeError, EngineError, kindOf, serializeError } from './engine-error.ts';

test('an error keeps kind, code and hint on its way between threads', () => {
  const error = new EngineError('not-found', 'No such image: x', {
    code: 'no-matching-platform',
    hint: 'Try y.',
  });
  const back = deserializeError(structuredClone(serializeError(error)));
  expect({ kind: back.kind, message: back.message, code: back.code, hint: back.hint }).toEqual({
    kind: 'not-found',
    message: 'No such image: x',
    code: 'no-matching-platform',
    hint: 'Try y.',
  });
});

test('anything that is no EngineError is internal', () => {
  expect(kindOf(new TypeError('x'))).toBe('internal');
  expect(serializeError('plain')).toEqual({ kind: 'internal', message: 'plain' });
});
