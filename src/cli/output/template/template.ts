import { EngineError, messageOf } from '../../../errors/engine-error.ts';
import { FUNCTION_NAMES, FUNCTIONS } from './functions.ts';
import type { Command, Node, Operand, Pipe } from './node.ts';
import { parseTemplate } from './parser.ts';
import { TemplateError } from './template-error.ts';
import {
  format,
  isInteger,
  isMap,
  isTrue,
  Struct,
  structMark,
  TypedNull,
  typeName,
  type Value,
} from './value.ts';

export interface TemplateOptions {
  /** The template's name, as errors have it. */
  name?: string;
  /** How a field that a struct-marked object lacks is met: with no value, or as an error. Maps always have no value then. */
  missingKey?: 'no-value' | 'error';
}

/** A parsed Go text/template. */
export class Template {
  readonly #source: string;
  readonly #name: string;
  readonly #nodes: Node[];
  readonly #missingKey: 'no-value' | 'error';

  /** @throws TemplateError `template: <name>:<line>: <what>`. */
  constructor(source: string, options: TemplateOptions = {}) {
    this.#source = source;
    this.#name = options.name ?? '';
    this.#missingKey = options.missingKey ?? 'no-value';
    try {
      this.#nodes = parseTemplate(source, FUNCTION_NAMES);
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      throw new TemplateError('parse', `template: ${this.#name}${error.message}`);
    }
  }

  /** @throws TemplateError `template: <name>:<line>:<column>: executing "<name>" at <…>: <what>`. */
  execute(data: Value): string {
    const run = new Execution({
      missingKey: this.#missingKey,
      fail: (operand, message) => this.#error(operand, message),
    });
    return run.render(this.#nodes, data);
  }

  #error(operand: { at: number; text: string }, message: string): TemplateError {
    const before = this.#source.slice(0, operand.at);
    const line = before.split('\n').length;
    const column = new TextEncoder().encode(before.slice(before.lastIndexOf('\n') + 1)).length;
    const name = this.#name;
    return new TemplateError(
      'execute',
      `template: ${name}:${line}:${column}: executing ${JSON.stringify(name)} at <${operand.text}>: ${message}`,
    );
  }
}

interface Rules {
  missingKey: 'no-value' | 'error';
  fail: (operand: { at: number; text: string }, message: string) => TemplateError;
}

type Jump = 'break' | 'continue' | undefined;

class Execution {
  readonly #rules: Rules;
  #variables: { name: string; value: Value }[] = [];
  #output = '';

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  render(nodes: Node[], data: Value): string {
    this.#variables = [{ name: '$', value: data }];
    this.#walk(nodes, data);
    return this.#output;
  }

  #walk(nodes: Node[], dot: Value): Jump {
    for (const node of nodes) {
      const jump = this.#step(node, dot);
      if (jump !== undefined) return jump;
    }
    return undefined;
  }

  #step(node: Node, dot: Value): Jump {
    switch (node.type) {
      case 'text':
        this.#output += node.text;
        return undefined;
      case 'action': {
        if (node.field !== undefined && dot instanceof Struct && dot.has(node.field)) {
          this.#output += format(dot.get(node.field));
          return undefined;
        }
        const value = this.#pipe(node.pipe, dot);
        if (node.pipe.declares.length === 0) this.#output += format(value);
        return undefined;
      }
      case 'break':
      case 'continue':
        return node.type;
      case 'if':
      case 'with':
      case 'range': {
        const scope = this.#variables.length;
        const value = this.#pipe(node.pipe, dot, node.type === 'range');
        const jump = node.type === 'range' ? this.#range(node, value, dot) : this.#choose(node, value, dot);
        this.#variables.length = scope;
        return jump;
      }
    }
  }

  #choose(node: { type: string; body: Node[]; otherwise: Node[] }, value: Value, dot: Value): Jump {
    if (!isTrue(value)) return this.#walk(node.otherwise, dot);
    return this.#walk(node.body, node.type === 'with' ? value : dot);
  }

  #range(node: { pipe: Pipe; body: Node[]; otherwise: Node[] }, value: Value, dot: Value): undefined {
    const entries = this.#entries(node.pipe, value);
    if (entries.length === 0) {
      this.#walk(node.otherwise, dot);
      return undefined;
    }
    const [first, second] = node.pipe.declares;
    for (const [key, element] of entries) {
      const scope = this.#variables.length;
      if (first !== undefined) this.#declare(node.pipe, first, second === undefined ? element : key);
      if (second !== undefined) this.#declare(node.pipe, second, element);
      const jump = this.#walk(node.body, element);
      this.#variables.length = scope;
      if (jump === 'break') break;
    }
    return undefined;
  }

  #entries(pipe: Pipe, value: Value): [Value, Value][] {
    if (Array.isArray(value)) return value.map((element, index) => [BigInt(index), element as Value]);
    if (value instanceof TypedNull || value === undefined || value === null) return [];
    if (isInteger(value)) {
      const count = Math.min(Number(value), 1_000_000);
      return Array.from({ length: Math.max(0, count) }, (_, index) => [BigInt(index), BigInt(index)]);
    }
    if (isMap(value))
      return Object.keys(value)
        .sort()
        .map((key) => [key, value[key]]);
    const operand = pipe.commands.at(-1)?.operands[0] ?? { at: 0, text: '' };
    throw this.#rules.fail(operand, `range can't iterate over ${format(value)}`);
  }

  #declare(pipe: Pipe, name: string, value: Value): void {
    if (!pipe.assigns) {
      this.#variables.push({ name, value });
      return;
    }
    const variable = this.#variables.findLast((each) => each.name === name);
    if (variable !== undefined) variable.value = value;
  }

  #pipe(pipe: Pipe, dot: Value, isRange = false): Value {
    let piped: { value: Value } | undefined;
    for (const command of pipe.commands) piped = { value: this.#command(command, dot, piped) };
    const value = piped?.value;
    if (!isRange) for (const name of pipe.declares) this.#declare(pipe, name, value);
    return value;
  }

  #command(command: Command, dot: Value, piped: { value: Value } | undefined): Value {
    const [first, ...others] = command.operands;
    if (first === undefined) return undefined;
    if (first.type === 'function') return this.#call(first, others, { dot, piped });
    if (others.length > 0 || piped !== undefined) {
      const method = this.#method(first, dot);
      const args = others.map((other) => this.#operand(other, dot));
      if (method !== undefined) return method(...args, ...(piped === undefined ? [] : [piped.value]));
      throw this.#rules.fail(
        first,
        first.type === 'field' || first.type === 'variable'
          ? `${first.names.at(-1) ?? first.text} has arguments but cannot be invoked as function`
          : `can't give argument to non-function ${first.text}`,
      );
    }
    return this.#operand(first, dot);
  }

  #method(operand: Operand, dot: Value): ((...args: Value[]) => Value) | undefined {
    if (operand.type !== 'field' && operand.type !== 'variable') return undefined;
    const path = { ...operand, names: operand.names.slice(0, -1) };
    const receiver =
      path.names.length === 0 && path.type === 'field' && path.base === undefined
        ? dot
        : this.#operand(path, dot);
    return receiver instanceof Struct ? receiver.method(operand.names.at(-1) ?? '') : undefined;
  }

  #call(
    operand: Operand & { type: 'function' },
    others: Operand[],
    { dot, piped }: { dot: Value; piped: { value: Value } | undefined },
  ): Value {
    if (operand.name === 'and' || operand.name === 'or')
      return this.#shortCircuit(operand, others, { dot, piped });
    const args = others.map((other) => this.#operand(other, dot));
    if (piped !== undefined) args.push(piped.value);
    const run = FUNCTIONS[operand.name];
    if (run === undefined) throw this.#rules.fail(operand, `function ${operand.name} not defined`);
    const { length: wanted } = run;
    if (args.length < wanted)
      throw this.#rules.fail(
        operand,
        `wrong number of args for ${operand.name}: want ${variadic(operand.name) ? 'at least ' : ''}${wanted} got ${args.length}`,
      );
    if (args.length > wanted && !variadic(operand.name))
      throw this.#rules.fail(
        operand,
        `wrong number of args for ${operand.name}: want ${wanted} got ${args.length}`,
      );
    try {
      return run(...args);
    } catch (error) {
      if (error instanceof TemplateError || !(error instanceof EngineError)) throw error;
      throw this.#rules.fail(operand, `error calling ${operand.name}: ${messageOf(error)}`);
    }
  }

  #shortCircuit(
    operand: Operand & { type: 'function' },
    others: Operand[],
    { dot, piped }: { dot: Value; piped: { value: Value } | undefined },
  ): Value {
    const stopsAt = operand.name === 'or';
    let value: Value;
    for (const other of others) {
      value = this.#operand(other, dot);
      if (isTrue(value) === stopsAt) return value;
    }
    if (piped !== undefined) value = piped.value;
    else if (others.length === 0)
      throw this.#rules.fail(operand, `wrong number of args for ${operand.name}: want at least 1 got 0`);
    return value;
  }

  #operand(operand: Operand, dot: Value): Value {
    switch (operand.type) {
      case 'dot':
        return dot;
      case 'nil':
        return null;
      case 'literal':
        return operand.value;
      case 'pipe':
        return this.#pipe(operand.pipe, dot);
      case 'function':
        return this.#call(operand, [], { dot, piped: undefined });
      case 'variable': {
        const variable = this.#variables.findLast((each) => each.name === operand.name);
        return this.#fields(operand, variable?.value, operand.names);
      }
      case 'field':
        return this.#fields(
          operand,
          operand.base === undefined ? dot : this.#operand(operand.base, dot),
          operand.names,
        );
    }
  }

  #fields(operand: Operand, start: Value, names: string[]): Value {
    return names.reduce((value, name) => this.#field(operand, value, name), start);
  }

  #field(operand: Operand, value: Value, name: string): Value {
    if (value instanceof Struct) {
      if (value.has(name)) return value.get(name);
      throw this.#rules.fail(operand, `can't evaluate field ${name} in type ${value.typeName}`);
    }
    if (value instanceof TypedNull && value.kind === 'map') return undefined;
    if (isMap(value))
      return Object.hasOwn(value, name) ? value[name] : this.#missing(operand, name, structMark(value));
    if (value === undefined || value === null)
      throw this.#rules.fail(operand, `nil pointer evaluating interface {}.${name}`);
    throw this.#rules.fail(operand, `can't evaluate field ${name} in type ${typeName(value)}`);
  }

  #missing(operand: Operand, name: string, mark: string | true | undefined): undefined {
    if (typeof mark === 'string')
      throw this.#rules.fail(operand, `can't evaluate field ${name} in type ${mark}`);
    if (mark === true && this.#rules.missingKey === 'error')
      throw this.#rules.fail(operand, `map has no entry for key ${JSON.stringify(name)}`);
    return undefined;
  }
}

function variadic(name: string): boolean {
  return /^(?:index|slice|print|println|printf|html|js|urlquery|eq)$/.test(name);
}
