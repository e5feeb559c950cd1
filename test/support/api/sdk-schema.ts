import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

/** Docker's own types of its API (generated from its description of v1.51), read as schemas. */
const DECLARATIONS = resolve(import.meta.dir, '../../../node_modules/@docker/node-sdk/dist/index.d.mts');

type Schema =
  | { kind: 'any' }
  | { kind: 'string' | 'number' | 'boolean' | 'null' }
  | { kind: 'literal'; value: unknown }
  | { kind: 'list' | 'map'; of: Schema }
  | { kind: 'union'; of: Schema[] }
  | { kind: 'object'; fields: Map<string, { schema: Schema; required: boolean }> }
  | { kind: 'named'; name: string };

/** Checks values against the types by name. `null` is right for a list, a map and an object: so Go says that nothing is in it. */
export class SdkSchemas {
  readonly #types: ReadonlyMap<string, Schema>;

  constructor(text = readFileSync(DECLARATIONS, 'utf8')) {
    this.#types = declaredTypes(text);
  }

  /**
   * What is wrong with a value: one line each, empty when it is as the type says.
   *
   * @param type as TypeScript writes it: `ContainerSummary[]`, `Array<Volume>`, `string`
   * @param more lines that are none, and fields beside those of the type: paths as the lines have them
   */
  faults(value: unknown, type: string, more: ReadonlySet<string> = new Set()): string[] {
    return this.#faults(value, new TypeReader(type).whole(), { path: '', name: type }).filter(
      (line) => !more.has(line.replace(/: unknown$/, '')),
    );
  }

  #faults(value: unknown, schema: Schema, at: { path: string; name: string }): string[] {
    const wrong = (what: string) => [`${at.path || at.name}: ${what}`];
    switch (schema.kind) {
      case 'any':
        return [];
      case 'named':
        return this.#faults(value, this.#named(schema.name), at);
      case 'union': {
        const tries = schema.of.map((one) => this.#faults(value, one, at));
        return tries.some((faults) => faults.length === 0) ? [] : (tries[0] ?? []);
      }
      case 'literal':
        return value === schema.value ? [] : wrong(`${JSON.stringify(value)} is none of the values`);
      case 'list':
        if (value === null) return [];
        if (!Array.isArray(value)) return wrong(`${JSON.stringify(value)} is no list`);
        return value.flatMap((one) => this.#faults(one, schema.of, { ...at, path: `${at.path}[]` }));
      case 'map':
        if (value === null) return [];
        if (typeof value !== 'object' || Array.isArray(value))
          return wrong(`${JSON.stringify(value)} is no map`);
        return Object.values(value).flatMap((one) =>
          this.#faults(one, schema.of, { ...at, path: `${at.path}{}` }),
        );
      case 'object':
        return value === null ? [] : this.#objectFaults(value, schema.fields, at);
      default: {
        const kind = value === null ? 'null' : typeof value;
        return kind === schema.kind ? [] : wrong(`${JSON.stringify(value)} is no ${schema.kind}`);
      }
    }
  }

  #objectFaults(
    value: unknown,
    fields: (Schema & { kind: 'object' })['fields'],
    at: { path: string; name: string },
  ): string[] {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return [`${at.path || at.name}: ${JSON.stringify(value)} is no object`];
    const below = (key: string) => ({ ...at, path: at.path === '' ? key : `${at.path}.${key}` });
    const missing = [...fields].flatMap(([key, { required }]) =>
      required && !(key in value) ? [`${below(key).path}: missing`] : [],
    );
    const present = Object.entries(value).flatMap(([key, element]) => {
      const field = fields.get(key);
      return field === undefined
        ? [`${below(key).path}: unknown`]
        : this.#faults(element, field.schema, below(key));
    });
    return [...missing, ...present];
  }

  #named(name: string): Schema {
    const schema = this.#types.get(name);
    if (schema === undefined) throw new Error(`The types have no ${name}`);
    return schema;
  }
}

function declaredTypes(text: string): Map<string, Schema> {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, '');
  const types = new Map<string, Schema>();
  for (const [, name = '', body = ''] of code.matchAll(/^interface (\w+) (\{[\s\S]*?^\})/gm))
    types.set(name, new TypeReader(body).whole());
  for (const [, name = '', body = ''] of code.matchAll(/^type (\w+) = ([^;]+);/gm))
    types.set(name, new TypeReader(body).whole());
  return types;
}

const TOKENS = /"(?:[^"\\]|\\.)*"|[A-Za-z_$][\w$]*|-?\d+|[{}[\]<>:;?,|]/g;

/** Reads the part of TypeScript that generated types are written in. */
class TypeReader {
  readonly #tokens: string[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = text.match(TOKENS) ?? [];
  }

  whole(): Schema {
    const schema = this.#union();
    if (this.#at < this.#tokens.length)
      throw new Error(`Left over: ${this.#tokens.slice(this.#at).join(' ')}`);
    return schema;
  }

  #union(): Schema {
    const of = [this.#postfix()];
    while (this.#take('|')) of.push(this.#postfix());
    const [only] = of;
    return of.length === 1 && only !== undefined ? only : { kind: 'union', of };
  }

  #postfix(): Schema {
    let schema = this.#primary();
    while (this.#tokens[this.#at] === '[') {
      this.#need('[');
      this.#need(']');
      schema = { kind: 'list', of: schema };
    }
    return schema;
  }

  #primary(): Schema {
    const token = this.#tokens[this.#at++] ?? '';
    if (token === '{') return this.#object();
    if (/^["\d-]/.test(token)) return { kind: 'literal', value: JSON.parse(token) as unknown };
    switch (token) {
      case 'string':
      case 'number':
      case 'boolean':
      case 'null':
        return { kind: token };
      case 'any':
      case 'unknown':
        return { kind: 'any' };
      case 'Date':
        return { kind: 'string' };
      case 'Array':
      case 'Set':
        return { kind: 'list', of: this.#arguments()[0] ?? { kind: 'any' } };
      case 'Map':
      case 'Record':
        return { kind: 'map', of: this.#arguments()[1] ?? { kind: 'any' } };
      default:
        return { kind: 'named', name: token };
    }
  }

  #arguments(): Schema[] {
    this.#need('<');
    const found = [this.#union()];
    while (this.#take(',')) found.push(this.#union());
    this.#need('>');
    return found;
  }

  /** Behind its `{`: fields, or one index signature. */
  #object(): Schema {
    const fields = new Map<string, { schema: Schema; required: boolean }>();
    let map: Schema | undefined;
    while (!this.#take('}')) {
      if (this.#take('[')) {
        while (!this.#take(']')) this.#at++;
        this.#need(':');
        map = this.#union();
      } else {
        const name = (this.#tokens[this.#at++] ?? '').replaceAll('"', '');
        const required = !this.#take('?');
        this.#need(':');
        fields.set(name, { schema: this.#union(), required });
      }
      this.#take(';');
    }
    return map === undefined ? { kind: 'object', fields } : { kind: 'map', of: map };
  }

  #take(token: string): boolean {
    if (this.#tokens[this.#at] !== token) return false;
    this.#at++;
    return true;
  }

  #need(token: string): void {
    if (!this.#take(token))
      throw new Error(`Expected ${token}, found ${this.#tokens[this.#at] ?? 'the end'}`);
  }
}
