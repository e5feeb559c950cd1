import { posix } from 'node:path';
import { EngineError } from '../errors/engine-error.ts';

/** A host directory or file in the container, from `source:destination[:options]`. */
export interface Bind {
  source: string;
  destination: string;
  options: string[];
  readonly: boolean;
  propagation: 'private' | 'rprivate' | 'shared' | 'rshared' | 'slave' | 'rslave';
}

const PROPAGATIONS = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'] as const;
const OPTIONS = new Set<string>([
  ...PROPAGATIONS,
  'ro',
  'rw',
  'z',
  'Z',
  'nocopy',
  'consistent',
  'cached',
  'delegated',
  'rbind',
  'bind',
]);

/** @throws EngineError "invalid" in Docker's words; "not-implemented" for a named volume. */
export function parseBind(text: string): Bind {
  const [source = '', destination = '', optionText = '', ...more] = text.split(':');
  const options = optionText === '' ? [] : optionText.split(',');
  const unknown = options.find((option) => !OPTIONS.has(option));
  if (source === '' || destination === '' || more.length > 0)
    throw new EngineError('invalid', `invalid volume specification: '${text}'`);
  if (unknown !== undefined) throw new EngineError('invalid', `invalid mode: ${optionText}`);
  if (options.includes('ro') && options.includes('rw'))
    throw new EngineError('invalid', `invalid mode: ${optionText}`);
  const target = posix.normalize(destination).replace(/(?<=.)\/$/, '');
  if (!target.startsWith('/')) {
    throw new EngineError(
      'invalid',
      `invalid volume specification: '${text}': invalid mount config for type "bind": invalid mount path: '${destination}' mount path must be absolute`,
    );
  }
  if (target === '/')
    throw new EngineError(
      'invalid',
      `invalid volume specification: '${text}': invalid specification: destination can't be '/'`,
    );
  if (!source.startsWith('/'))
    throw new EngineError(
      'not-implemented',
      `Cannot mount ${JSON.stringify(source)}: named volumes are not built yet`,
      { hint: 'Give a path that starts with /.' },
    );
  return {
    source: posix.normalize(source).replace(/(?<=.)\/$/, ''),
    destination: target,
    options,
    readonly: options.includes('ro'),
    propagation: PROPAGATIONS.find((name) => options.includes(name)) ?? 'rprivate',
  };
}
