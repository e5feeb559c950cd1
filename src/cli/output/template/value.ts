/**
 * Values as templates see them: strings, numbers (bigint, and number where integral, are Go's ints), booleans, arrays, plain objects
 * (Go maps), `Struct`s, `TypedNull`s, null (a nil pointer) and undefined (no value at all).
 */
export type Value = unknown;

/** A Go struct: asking for a field that it doesn't have is an error. */
export class Struct {
  /** As errors name it: `*formatter.ContainerContext`. */
  readonly typeName: string;
  readonly #fields: Readonly<Record<string, (data: never) => Value>>;
  readonly #methods: Readonly<Record<string, (...args: never[]) => Value>>;
  readonly #data: object | undefined;

  constructor(
    typeName: string,
    fields: Readonly<Record<string, () => Value>>,
    methods?: Readonly<Record<string, (...args: Value[]) => Value>>,
  );
  /** Of a list's many: fields and methods are functions of `data` first, one table of them for all. */
  constructor(
    typeName: string,
    fields: Readonly<Record<string, (data: never) => Value>>,
    methods: Readonly<Record<string, (data: never, ...args: Value[]) => Value>> | undefined,
    data: object,
  );
  constructor(
    typeName: string,
    fields: Readonly<Record<string, (data: never) => Value>>,
    methods: Readonly<Record<string, (...args: never[]) => Value>> = {},
    data?: object,
  ) {
    this.typeName = typeName;
    this.#fields = fields;
    this.#methods = methods;
    this.#data = data;
  }

  /** A method that takes arguments: `.Label "x"`. */
  method(name: string): ((...args: Value[]) => Value) | undefined {
    if (!Object.hasOwn(this.#methods, name)) return undefined;
    const own = this.#data === undefined ? [] : [this.#data];
    return (...args) => this.#methods[name]?.(...([...own, ...args] as never[]));
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#fields, name);
  }

  get(name: string): Value {
    return this.#fields[name]?.(this.#data as never);
  }

  names(): string[] {
    return Object.keys(this.#fields);
  }
}

/** A nil slice or map: it prints as an empty one and is `null` as JSON. */
export class TypedNull {
  readonly kind: 'slice' | 'map';

  constructor(kind: 'slice' | 'map') {
    this.kind = kind;
  }
}

/**
 * Marks an object as a Go struct rather than a map: it prints its values alone, and asking for a field that it lacks can be an error.
 * The mark is the type's name, or `true` where errors speak of it as a map.
 */
export const STRUCT = Symbol('struct');

export function structMark(value: object): string | true | undefined {
  return STRUCT in value ? (value[STRUCT] as string | true) : undefined;
}

export const NIL_SLICE = new TypedNull('slice');
export const NIL_MAP = new TypedNull('map');

export function isMap(value: Value): value is Record<string, Value> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Struct) &&
    !(value instanceof TypedNull)
  );
}

/** Go's idea of truth: what isn't empty. */
export function isTrue(value: Value): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Struct) return true;
  if (value instanceof TypedNull) return false;
  if (isMap(value)) return Object.keys(value).length > 0;
  return Boolean(value);
}

export function isNumber(value: Value): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}

export function isInteger(value: Value): value is number | bigint {
  return typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value));
}

/** Go's name of a value's type, for error messages. */
export function typeName(value: Value): string {
  if (value instanceof Struct) return value.typeName;
  if (value instanceof TypedNull)
    return value.kind === 'slice' ? '[]interface {}' : 'map[string]interface {}';
  if (Array.isArray(value)) return '[]interface {}';
  if (isMap(value)) return 'map[string]interface {}';
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'int64';
    case 'number':
      return Number.isInteger(value) ? 'int64' : 'float64';
    default:
      return 'nil';
  }
}

/** As Go's `%v`. */
export function format(value: Value): string {
  if (value === undefined) return '<no value>';
  if (value === null) return '<nil>';
  if (value instanceof TypedNull) return value.kind === 'slice' ? '[]' : 'map[]';
  if (value instanceof Struct)
    return `{${value
      .names()
      .map((name) => format(value.get(name)))
      .join(' ')}}`;
  if (Array.isArray(value)) return `[${value.map(format).join(' ')}]`;
  if (isMap(value) && structMark(value) !== undefined)
    return `{${Object.values(value).map(format).join(' ')}}`;
  if (isMap(value))
    return `map[${Object.keys(value)
      .sort()
      .map((key) => `${key}:${format(value[key])}`)
      .join(' ')}]`;
  switch (typeof value) {
    case 'number':
      return formatNumber(value);
    case 'string':
      return value;
    case 'boolean':
    case 'bigint':
      return value.toString();
    default:
      return '<nil>';
  }
}

function formatNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e21) return String(value);
  if (Number.isFinite(value)) return String(value).replace(/e([+-])(\d)$/, 'e$10$2');
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}
