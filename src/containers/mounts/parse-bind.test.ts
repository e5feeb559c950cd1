import { expect, test } from 'bun:test';
import { parseBind } from './parse-bind.ts';

test('a bind has source, clean destination, mode and propagation', () => {
  expect(parseBind('/a/../b/:/c//d/:ro,rslave')).toEqual({
    type: 'bind',
    source: '/b',
    destination: '/c/d',
    mode: 'ro,rslave',
    readWrite: false,
    propagation: 'rslave',
    createSource: true,
    nonRecursive: false,
    readOnlyBelow: 'try',
  });
  expect(parseBind('/:/host')).toMatchObject({ source: '/', destination: '/host', propagation: 'rprivate' });
});

test('a name, or none, is a volume', () => {
  expect(parseBind('data:/b/:nocopy,ro')).toEqual({
    type: 'volume',
    name: 'data',
    destination: '/b',
    mode: 'nocopy,ro',
    readWrite: false,
    noCopy: true,
  });
  expect(parseBind('/b')).toMatchObject({ type: 'volume', name: '', destination: '/b', readWrite: true });
});

const spec = (text: string) => `invalid volume specification: '${text}'`;
const config = (text: string, type: string) => `${spec(text)}: invalid mount config for type "${type}": `;

// Recorded from Docker 28.5.
test.each([
  ['v:/t:rshared', `${config('v:/t:rshared', 'volume')}field BindOptions must not be specified`],
  ['/a:/t:nocopy', `${config('/a:/t:nocopy', 'bind')}field VolumeOptions must not be specified`],
  ['/t:ro', spec('/t:ro')],
  ['t:rel', `${config('t:rel', 'volume')}invalid mount path: 'rel' mount path must be absolute`],
  ['/a:rel', `${config('/a:rel', 'bind')}invalid mount path: 'rel' mount path must be absolute`],
  ['/a:/', `${config('/a:/', 'bind')}invalid specification: destination can't be '/'`],
  ['/a:/x/..', `${config('/a:/x/..', 'bind')}invalid specification: destination can't be '/'`],
  ['/a:/b:c:d', spec('/a:/b:c:d')],
  [':/a', spec(':/a')],
  ['', spec('')],
  ['x:', spec('x:')],
  ['/a:/t:bogus', 'invalid mode: bogus'],
  ['/a:/t:ro,rw', 'invalid mode: ro,rw'],
  ['/a:/t:ro,ro', 'invalid mode: ro,ro'],
  ['/a:/t:z,Z', 'invalid mode: z,Z'],
  ['/a:/t:bind', 'invalid mode: bind'],
])('parseBind(%j) is refused', (text, message) => {
  expect(() => parseBind(text)).toThrow(
    expect.objectContaining({ kind: 'invalid', message }) as unknown as Error,
  );
});
