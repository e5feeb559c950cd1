import { EngineError } from '../../errors/engine-error.ts';

/** The permission bits that a file gets instead of `mode`. */
export type ModeChange = (mode: number, isDirectory: boolean) => number;

const OCTAL_WORDS = 'it should be octal string and between 0 and 07777';
const CLAUSE = /^([ugoa]*)((?:[+=-](?:[ugo]|[rwxXst]*))+)$/;
const EVERYONE = 'ugo';
const SHIFT: Record<string, number> = { u: 6, g: 3, o: 0 };

/**
 * `--chmod`: octal, or chmod(1)'s symbolic form with an umask of 0. Undefined for ''.
 *
 * @throws EngineError "invalid", BuildKit's words.
 */
export function parseModeChange(text: string): ModeChange | undefined {
  if (text === '') return undefined;
  const octal = octalMode(text);
  if (octal !== undefined) return () => octal;
  const changes = text.split(',').map((clause) => parseClause(clause));
  return (mode, isDirectory) => changes.reduce((now, change) => change(now, isDirectory), mode);
}

/** The value of an octal `--chmod`; directories that are made on the way get it too. Undefined for a symbolic one. */
export function octalMode(text: string): number | undefined {
  if (!/^[0-9]+$/.test(text)) return undefined;
  const value = /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
  if (!(value <= 0o7777))
    throw new EngineError('invalid', `invalid chmod parameter: '${text}'. ${OCTAL_WORDS}`);
  return value;
}

function parseClause(clause: string): ModeChange {
  const [, who = '', actions = ''] = CLAUSE.exec(clause) ?? [];
  if (actions === '') throw new EngineError('invalid', 'invalid syntax');
  const classes = who === '' || who.includes('a') ? EVERYONE : who;
  const steps = [...actions.matchAll(/([+=-])([^+=-]*)/g)].map(
    ([, operator = '', permissions = '']): ModeChange =>
      (mode, isDirectory) =>
        changed(mode, { classes, operator, permissions, isDirectory }),
  );
  return (mode, isDirectory) => steps.reduce((now, step) => step(now, isDirectory), mode);
}

interface Step {
  classes: string;
  operator: string;
  permissions: string;
  isDirectory: boolean;
}

function changed(mode: number, step: Step): number {
  const bits = bitsOf(mode, step);
  if (step.operator === '+') return mode | bits;
  if (step.operator === '-') return mode & ~bits;
  const cleared = Array.from(step.classes).reduce(
    (mask, name) => mask | (7 << (SHIFT[name] ?? 0)) | special(name),
    0,
  );
  return (mode & ~cleared) | bits;
}

/** `=` takes the set-id bit of its class away, and the sticky bit with `o`. */
function special(name: string): number {
  return name === 'u' ? 0o4000 : name === 'g' ? 0o2000 : 0o1000;
}

function bitsOf(mode: number, { classes, permissions, isDirectory }: Step): number {
  let bits = 0;
  for (const name of classes) {
    const shift = SHIFT[name] ?? 0;
    for (const permission of permissions)
      bits |= permissionBits(permission, { mode, isDirectory, shift, name });
  }
  return bits;
}

interface Class {
  mode: number;
  isDirectory: boolean;
  shift: number;
  name: string;
}

function permissionBits(permission: string, { mode, isDirectory, shift, name }: Class): number {
  switch (permission) {
    case 'r':
      return 4 << shift;
    case 'w':
      return 2 << shift;
    case 'x':
      return 1 << shift;
    case 'X':
      return isDirectory || (mode & 0o111) !== 0 ? 1 << shift : 0;
    case 's':
      return name === 'o' ? 0 : special(name);
    case 't':
      return 0o1000;
    default:
      return ((mode >> (SHIFT[permission] ?? 0)) & 7) << shift;
  }
}
