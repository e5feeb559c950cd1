/** The parsed template. `at` is the offset that errors name, `text` the node as Go prints it. */
export type Node = TextNode | ActionNode | BranchNode | JumpNode;

export interface TextNode {
  type: 'text';
  text: string;
}

export interface ActionNode {
  type: 'action';
  pipe: Pipe;
  /** The name, where it is nothing but `{{.Name}}`: what lists consist of. */
  field?: string | undefined;
}

export interface BranchNode {
  type: 'if' | 'range' | 'with';
  pipe: Pipe;
  body: Node[];
  otherwise: Node[];
}

export interface JumpNode {
  type: 'break' | 'continue';
}

export interface Pipe {
  declares: string[];
  /** `=` rather than `:=`. */
  assigns: boolean;
  commands: Command[];
}

/** An operand alone, or a function or field with arguments. */
export interface Command {
  operands: Operand[];
  at: number;
}

export type Operand = { at: number; text: string } & (
  | { type: 'dot' }
  | { type: 'nil' }
  | { type: 'literal'; value: string | number | bigint | boolean }
  /** `base` is undefined for the dot. */
  | { type: 'field'; base: Operand | undefined; names: string[] }
  | { type: 'variable'; name: string; names: string[] }
  | { type: 'function'; name: string }
  | { type: 'pipe'; pipe: Pipe }
);
