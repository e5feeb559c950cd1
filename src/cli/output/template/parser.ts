import { lex, parseError, type Token, type TokenKind } from './lexer.ts';
import { parseLiteral } from './literal.ts';
import type { Command, Node, Operand, Pipe } from './node.ts';

const KEYWORDS = new Set([
  'if',
  'range',
  'with',
  'else',
  'end',
  'break',
  'continue',
  'define',
  'template',
  'block',
]);
const MAX_DEPTH = 200;

interface List {
  nodes: Node[];
  /** What ended it: `end`, `else`, or the template's end. */
  terminator: 'end' | 'else' | 'eof';
}

/** Parse Go's text/template. @throws TemplateError `:<line>: <what>`, in Go's words. */
export function parseTemplate(source: string, functions: ReadonlySet<string>): Node[] {
  return new Parser(source, functions).parse();
}

class Parser {
  readonly #source: string;
  readonly #functions: ReadonlySet<string>;
  readonly #tokens: Token[];
  #position = 0;
  #variables: string[] = ['$'];
  #loops = 0;
  #depth = 0;

  constructor(source: string, functions: ReadonlySet<string>) {
    this.#source = source;
    this.#functions = functions;
    this.#tokens = lex(source);
  }

  parse(): Node[] {
    const { nodes, terminator } = this.#list(true);
    if (terminator !== 'eof') throw this.#error(`unexpected {{${terminator}}}`);
    return nodes;
  }

  #list(top = false): List {
    if (++this.#depth > MAX_DEPTH) throw this.#error('template nested too deeply');
    const nodes: Node[] = [];
    while (true) {
      const token = this.#next();
      if (token.kind === 'end') {
        if (!top) throw this.#error('unexpected EOF');
        return { nodes, terminator: 'eof' };
      }
      if (token.kind === 'text') {
        nodes.push({ type: 'text', text: token.text });
        continue;
      }
      const keyword = this.#keyword();
      if (keyword === 'end' || keyword === 'else') {
        this.#depth--;
        if (keyword === 'end') this.#expect('right', 'end');
        return { nodes, terminator: keyword };
      }
      nodes.push(this.#action(keyword));
    }
  }

  #keyword(): string | undefined {
    const token = this.#peekPastSpace();
    if (token.kind !== 'identifier' || !KEYWORDS.has(token.text)) return undefined;
    this.#nextPastSpace();
    return token.text;
  }

  #action(keyword: string | undefined): Node {
    switch (keyword) {
      case 'if':
      case 'range':
      case 'with':
        return this.#branch(keyword);
      case 'break':
      case 'continue':
        this.#expect('right', keyword);
        if (this.#loops === 0) throw this.#error(`{{${keyword}}} outside {{range}}`);
        return { type: keyword };
      case 'define':
      case 'template':
      case 'block':
        throw this.#error(`unexpected {{${keyword}}}: one template can't define another here`);
      default: {
        const pipe = this.#pipe('command', 'right');
        return { type: 'action', pipe, field: loneField(pipe) };
      }
    }
  }

  #branch(type: 'if' | 'range' | 'with'): Node {
    const scope = this.#variables.length;
    const pipe = this.#pipe(type, 'right');
    if (type === 'range') this.#loops++;
    const body = this.#list();
    if (type === 'range') this.#loops--;
    let otherwise: Node[] = [];
    if (body.terminator === 'else') otherwise = this.#otherwise(type);
    this.#variables.length = scope;
    return { type, pipe, body: body.nodes, otherwise };
  }

  #otherwise(type: 'if' | 'range' | 'with'): Node[] {
    const keyword = this.#keyword();
    if (keyword !== undefined && keyword === type && type !== 'range') return [this.#branch(type)];
    if (keyword !== undefined) throw this.#error(`unexpected <${keyword}> in else`);
    this.#expect('right', 'else');
    const list = this.#list();
    if (list.terminator !== 'end') throw this.#error('expected end; found {{else}}');
    return list.nodes;
  }

  #pipe(context: string, end: TokenKind): Pipe {
    const { declares, assigns } = this.#declarations(context);
    const commands: Command[] = [];
    while (true) {
      const token = this.#peekPastSpace();
      if (token.kind === end) {
        this.#nextPastSpace();
        if (commands.length === 0) throw this.#error(`missing value for ${context}`);
        this.#checkPipeline(commands);
        return { declares, assigns, commands };
      }
      if (token.kind === 'end') throw this.#error('unclosed action');
      commands.push(this.#command(end));
    }
  }

  /** Only functions and methods can take the value of the stage before. */
  #checkPipeline(commands: Command[]): void {
    for (const [index, command] of commands.entries()) {
      const first = command.operands[0];
      if (index > 0 && (first === undefined || /^(dot|nil|literal)$/.test(first.type)))
        throw this.#error(`non executable command in pipeline stage ${index + 1}`);
    }
  }

  #declarations(context: string): { declares: string[]; assigns: boolean } {
    const start = this.#position;
    const names: string[] = [];
    while (this.#peekPastSpace().kind === 'variable') {
      names.push(this.#nextPastSpace().text);
      const token = this.#peekPastSpace();
      if (token.kind === 'declare' || token.kind === 'assign') {
        this.#nextPastSpace();
        if (token.kind === 'declare') this.#variables.push(...names);
        else for (const name of names) this.#checkVariable(name);
        return { declares: names, assigns: token.kind === 'assign' };
      }
      if (token.kind !== 'comma' || context !== 'range' || names.length > 1) break;
      this.#nextPastSpace();
    }
    this.#position = start;
    return { declares: [], assigns: false };
  }

  #command(end: TokenKind): Command {
    const at = this.#peekPastSpace().at;
    const operands: Operand[] = [];
    while (true) {
      const token = this.#peekPastSpace();
      if (token.kind === 'pipe') {
        this.#nextPastSpace();
        if (operands.length === 0) throw this.#error('missing value for command');
        if (this.#peekPastSpace().kind === end) throw this.#error('missing value for command');
        return { operands, at };
      }
      if (token.kind === end) {
        if (operands.length === 0) throw this.#error('empty command');
        return { operands, at };
      }
      operands.push(this.#operand());
      const after = this.#peek();
      if (after.kind !== 'space' && after.kind !== 'pipe' && after.kind !== end)
        throw this.#error(`unexpected ${describe(after)} in operand`);
    }
  }

  #operand(): Operand {
    const term = this.#term();
    const names: string[] = [];
    const chainAt = this.#peek().at;
    while (this.#peek().kind === 'field') names.push(this.#next().text.slice(1));
    if (names.length === 0) return term;
    const text = `${term.type === 'dot' ? '' : term.text}${names.map((name) => `.${name}`).join('')}`;
    if (term.type === 'field') return { ...term, names: [...term.names, ...names], at: chainAt, text };
    if (term.type === 'variable') return { ...term, names: [...term.names, ...names], at: chainAt, text };
    if (term.type === 'pipe' || term.type === 'function')
      return { type: 'field', base: term, names, at: chainAt, text };
    throw this.#error(`unexpected . after term ${JSON.stringify(term.text)}`);
  }

  #term(): Operand {
    const token = this.#nextPastSpace();
    const { at, text } = token;
    switch (token.kind) {
      case 'identifier':
        return this.#word(token);
      case 'dot':
        return { type: 'dot', at, text };
      case 'field':
        return { type: 'field', base: undefined, names: [text.slice(1)], at, text };
      case 'variable':
        this.#checkVariable(text);
        return { type: 'variable', name: text, names: [], at, text };
      case 'string':
      case 'number':
      case 'char': {
        const value = parseLiteral(token.kind, text);
        if (value === undefined) throw this.#error(`bad ${token.kind} syntax: ${JSON.stringify(text)}`);
        return { type: 'literal', value, at, text };
      }
      case 'paren-open': {
        if (++this.#depth > MAX_DEPTH) throw this.#error('template nested too deeply');
        const pipe = this.#pipe('parenthesized pipeline', 'paren-close');
        this.#depth--;
        return { type: 'pipe', pipe, at, text: this.#source.slice(at, this.#peek().at) };
      }
      case 'end':
        throw this.#error('unclosed action');
      default:
        throw this.#error(`unexpected ${describe(token)} in command`);
    }
  }

  #word({ text, at }: Token): Operand {
    if (text === 'true' || text === 'false') return { type: 'literal', value: text === 'true', at, text };
    if (text === 'nil') return { type: 'nil', at, text };
    if (!this.#functions.has(text)) throw this.#error(`function ${JSON.stringify(text)} not defined`);
    return { type: 'function', name: text, at, text };
  }

  #checkVariable(name: string): void {
    if (!this.#variables.includes(name)) throw this.#error(`undefined variable ${JSON.stringify(name)}`);
  }

  #expect(kind: TokenKind, context: string): void {
    const token = this.#nextPastSpace();
    if (token.kind !== kind) throw this.#error(`unexpected ${describe(token)} in ${context}`);
  }

  #peek(): Token {
    return this.#tokens[this.#position] ?? { kind: 'end', text: '', at: this.#source.length };
  }

  #next(): Token {
    const token = this.#peek();
    this.#position++;
    return token;
  }

  #peekPastSpace(): Token {
    while (this.#peek().kind === 'space') this.#position++;
    return this.#peek();
  }

  #nextPastSpace(): Token {
    this.#peekPastSpace();
    return this.#next();
  }

  #error(message: string) {
    const token = this.#tokens[Math.max(0, this.#position - 1)];
    return parseError(this.#source, token?.at ?? 0, message);
  }
}

function describe(token: Token): string {
  return token.kind === 'end' ? 'EOF' : `<${token.text}>`;
}

/** `Name` of `{{.Name}}`. */
function loneField({ declares, commands }: Pipe): string | undefined {
  const [operand, ...others] = commands[0]?.operands ?? [];
  if (declares.length > 0 || commands.length !== 1 || others.length > 0) return undefined;
  if (operand?.type !== 'field' || operand.base !== undefined || operand.names.length !== 1) return undefined;
  return operand.names[0];
}
