const ESCAPE = '\x1b';
/** A control sequence, or one character. */
const TOKEN = new RegExp(`${ESCAPE}\\[[?0-9;]*[A-Za-z]|[^]`, 'gu');

/**
 * What a terminal shows after these bytes: its lines, without blanks at their ends. Understands what command lines draw with: carriage return,
 * backspace, cursor up, down, right, left and to a column, erase in line, erase below; colours are dropped. The screen has no lower edge.
 */
export function screenOf(output: string): string[] {
  const screen = new Screen();
  for (const [token] of output.matchAll(TOKEN)) screen.take(token);
  return screen.lines();
}

class Screen {
  readonly #rows: string[][] = [];
  #row = 0;
  #column = 0;

  take(token: string): void {
    if (token.length > 2 && token.startsWith(`${ESCAPE}[`))
      this.#control(token.slice(2, -1), token.at(-1) ?? '');
    else if (token === '\n') this.#row++;
    else if (token === '\r') this.#column = 0;
    else if (token === '\b') this.#column = Math.max(0, this.#column - 1);
    else if (token >= ' ') this.#put(token);
  }

  lines(): string[] {
    return Array.from(this.#rows, (row) =>
      Array.from(row ?? [], (cell) => cell ?? ' ')
        .join('')
        .trimEnd(),
    );
  }

  #put(character: string): void {
    this.#cells()[this.#column++] = character;
  }

  #control(parameters: string, command: string): void {
    const count = Math.max(1, Number.parseInt(parameters, 10) || 1);
    if (command === 'A') this.#row = Math.max(0, this.#row - count);
    else if (command === 'B') this.#row += count;
    else if (command === 'C') this.#column += count;
    else if (command === 'D') this.#column = Math.max(0, this.#column - count);
    else if (command === 'G') this.#column = count - 1;
    else if (command === 'K') this.#erase(Number.parseInt(parameters, 10) || 0);
    else if (command === 'J') this.#rows.length = Math.min(this.#rows.length, this.#row + 1);
  }

  /** 0: from the cursor to the end, 1: up to it, 2: all of the line. */
  #erase(which: number): void {
    const cells = this.#cells();
    if (which === 0) cells.length = Math.min(cells.length, this.#column);
    else cells.fill(' ', 0, which === 1 ? this.#column + 1 : cells.length);
  }

  #cells(): string[] {
    for (let row = this.#rows.length; row <= this.#row; row++) this.#rows.push([]);
    return this.#rows[this.#row] as string[];
  }
}
