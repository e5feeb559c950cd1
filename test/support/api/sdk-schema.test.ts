import { expect, test } from 'bun:test';
import { SdkSchemas } from './sdk-schema.ts';

const schemas = new SdkSchemas(`
/** A comment { with: a brace */
interface One {
  Name: string;
  Kind?: KindEnum;
  Size?: number | null;
  Two?: Array<Two> | null;
  Map?: { [key: string]: Two; };
}
interface Two {
  Value?: boolean;
}
type KindEnum = "a" | "b";
`);

test.each([
  [{ Name: 'x', Kind: 'a', Size: null, Two: [{ Value: true }], Map: { y: {} } }, []],
  [{ Name: 'x', Two: null, Map: null }, []],
  [{}, ['Name: missing']],
  [{ Name: null }, ['Name: null is no string']],
  [{ Name: 'x', Kind: 'c' }, ['Kind: "c" is none of the values']],
  [{ Name: 'x', Two: [{}, { Value: 1 }] }, ['Two[].Value: 1 is no boolean']],
  [{ Name: 'x', Map: { y: { Other: 1 } } }, ['Map{}.Other: unknown']],
  [{ Name: 'x', Map: [] }, ['Map: [] is no map']],
  ['x', ['One: "x" is no object']],
] as const)('%j is held against a type', (value, faults) => {
  expect(schemas.faults(value, 'One')).toEqual([...faults]);
});

test('lists of a type, and what may be there beside it', () => {
  expect(schemas.faults([{ Name: 'x', More: 1 }], 'One[]')).toEqual(['[].More: unknown']);
  expect(schemas.faults([{ Name: 'x', More: 1 }], 'One[]', new Set(['[].More']))).toEqual([]);
  expect(() => schemas.faults(1, 'Nope')).toThrow('The types have no Nope');
});
