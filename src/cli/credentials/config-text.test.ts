import { expect, test } from 'bun:test';
import { removeMember, setMember } from './config-text.ts';

const LOGIN = '{\n\t"auth": "eA=="\n}';

test('setMember() makes the file as Docker lays it out', () => {
  const made = '{\n\t"auths": {\n\t\t"host": {\n\t\t\t"auth": "eA=="\n\t\t}\n\t}\n}';
  expect(setMember('', ['auths', 'host'], LOGIN)).toBe(made);
  expect(setMember('{"auths":{}}', ['auths', 'host'], LOGIN)).toBe(made);
  expect(setMember('{"auths":null}', ['auths', 'host'], LOGIN)).toBe(made);
  expect(setMember(made, ['credsStore'], '"pass"')).toBe(
    made.replace('\t}\n}', '\t},\n\t"credsStore": "pass"\n}'),
  );
  expect(removeMember(made, ['auths', 'host'])).toBe('{\n\t"auths": {}\n}');
});

const STRANGE = `{
  "HttpHeaders": { "X-Meta":   "1" },
    "big": 12345678901234567890.50,
  "auths": {
    "b": {"auth": "Yg==", "own": [1, "}", {"x": "\\"{"}]},
    "d": {}
  },
  "unknown": {"deep": [ 1,2 ]}
}
`;

test('what is not touched stays byte for byte', () => {
  const added = setMember(STRANGE, ['auths', 'c'], '{}');
  expect(added).toBe(STRANGE.replace('    "d": {}', '    "c": {},\n\t\t"d": {}'));
  expect(removeMember(added, ['auths', 'c'])).toBe(STRANGE.replace('    "d": {}', '\t\t"d": {}'));
  expect(removeMember(STRANGE, ['auths', 'b'])).toBe(
    STRANGE.replace('"b": {"auth": "Yg==", "own": [1, "}", {"x": "\\"{"}]},\n    ', ''),
  );
  expect(removeMember(STRANGE, ['auths', 'none'])).toBe(STRANGE);
  expect(setMember(STRANGE, ['auths', 'd'], '{"auth": "x"}')).toBe(
    STRANGE.replace('"d": {}', '"d": {"auth": "x"}'),
  );
});

test('of members of one name none is left over', () => {
  expect(removeMember('{\n"a": {"x": 1, "x": 2, "y": 3, "x": 4}\n}', ['a', 'x'])).toBe('{\n"a": {"y": 3}\n}');
});

test.each(['[]', '{bad', '{"auths": []}', '{"auths": "x"}', '"x"'])(
  '%s is refused, not overwritten',
  (text) => {
    expect(() => setMember(text, ['auths', 'host'], LOGIN)).toThrow(
      'Cannot change the client configuration: ',
    );
  },
);
