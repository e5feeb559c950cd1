import { describe, expect, test } from 'bun:test';
import { encode, type Packet } from 'dns-packet';
import { fitted, isAnswerTo, isTruncated } from './check-answer.ts';

const question = { type: 'A', name: 'example.org', class: 'IN' } as const;
const query = encode({ type: 'query', id: 7, flags: 0x100, questions: [question] });
const answer = (change: Partial<Packet> = {}): Buffer =>
  encode({
    type: 'response',
    id: 7,
    flags: 0x180,
    questions: [question],
    answers: [{ type: 'A', name: 'example.org', ttl: 60, data: '192.0.2.1' }],
    ...change,
  });

/** The header and question of an answer, with a record of bytes as they stand. */
function raw(record: readonly number[], count = 1): Buffer {
  const start = answer({ answers: [] });
  start.writeUInt16BE(count, 6);
  return Buffer.concat([start, Buffer.from(record)]);
}

const TAIL = [0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1];
const QUESTION_AT = 12;
const RECORD_AT = query.length;

describe('isAnswerTo()', () => {
  test.each([
    ['plain', answer()],
    ['its name in other letters', answer({ questions: [{ ...question, name: 'eXAMPLE.oRG' }] })],
    ['a compressed name', raw([0xc0, QUESTION_AT, ...TAIL])],
    ['no such name', answer({ flags: 0x183, answers: [] })],
    ['cut', answer({ flags: 0x380, answers: [] })],
    ['a refusal without the question', answer({ flags: 0x185, questions: [], answers: [] })],
    [
      'records of other kinds',
      answer({
        answers: [
          { type: 'CNAME', name: 'example.org', ttl: 1, data: 'other.org' },
          { type: 'MX', name: 'other.org', ttl: 1, data: { preference: 1, exchange: 'mail.org' } },
          { type: 'SRV', name: 'other.org', ttl: 1, data: { port: 1, target: 'mail.org' } },
          { type: 'TXT', name: 'other.org', ttl: 1, data: 'x'.repeat(200) },
        ],
      }),
    ],
  ])('takes an answer: %s', (_what, message) => {
    expect(isAnswerTo(query, message)).toBe(true);
  });

  test.each([
    ['another id', answer({ id: 8 })],
    ['a query', query],
    ['another kind of operation', answer({ flags: 0x980 })],
    ['another name', answer({ questions: [{ ...question, name: 'example.net' }] })],
    ['another type', answer({ questions: [{ ...question, type: 'AAAA' }] })],
    ['two questions', answer({ questions: [question, question] })],
    ['success without the question', answer({ questions: [], answers: [] })],
    ['a refusal with records, without the question', answer({ flags: 0x185, questions: [] })],
    ['half a header', answer().subarray(0, 11)],
    ['half a record', answer().subarray(0, -1)],
    ['fewer records than it says', raw([0xc0, QUESTION_AT, ...TAIL], 2)],
    ['a name that leads to itself', raw([0xc0, RECORD_AT, ...TAIL])],
    ['a name that leads ahead', raw([0xc0, RECORD_AT + 2, ...TAIL])],
    ['names that lead to each other', raw([0xc0, RECORD_AT + 2, 0xc0, RECORD_AT, ...TAIL])],
    ['a name that leads into the header', raw([0xc0, 2, ...TAIL])],
    ['a name that comes round by a label', raw([1, 97, 0xc0, RECORD_AT, ...TAIL])],
    ['half a pointer', raw([0xc0])],
    ['a label of a kind that is unknown', raw([0x80, 1, ...TAIL])],
    ['a name without end', raw(Array.from({ length: 300 }, (_, at) => (at % 2 === 0 ? 1 : 97)))],
    // A CNAME whose target comes round.
    [
      'a loop inside of a record',
      raw([0xc0, QUESTION_AT, 0, 5, 0, 1, 0, 0, 0, 1, 0, 2, 0xc0, RECORD_AT + 12]),
    ],
    ['a name past its record', raw([0xc0, QUESTION_AT, 0, 5, 0, 1, 0, 0, 0, 1, 0, 1, 3, 97, 97, 97, 0])],
    ['noise', Buffer.concat([answer().subarray(0, 4), Buffer.alloc(100, 0xff)])],
    ['nothing', Buffer.alloc(0)],
  ])('does not take: %s', (_what, message) => {
    expect(isAnswerTo(query, message)).toBe(false);
  });

  test('never throws, whatever comes', () => {
    const good = answer();
    for (let at = 0; at < good.length; at++)
      for (const value of [0, 1, 0x3f, 0x40, 0xc0, 0xff]) {
        const bad = Buffer.from(good);
        bad[at] = value;
        expect(() => isAnswerTo(query, bad)).not.toThrow();
        expect(() => isAnswerTo(query, bad.subarray(0, at))).not.toThrow();
      }
  });
});

test('fitted() says that it has cut, and leaves what fits', () => {
  const whole = answer();
  expect(fitted(whole, 512)).toBe(whole);
  const cut = fitted(whole, 20);
  expect(isTruncated(cut)).toBe(true);
  expect(cut).toEqual(answer({ flags: 0x380, answers: [] }));
});
