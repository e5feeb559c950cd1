/** One command of a page, and what the page says that it prints. */
export interface PageCommand {
  command: string;
  printed: string[];
  /** Line of the page, from 1. */
  line: number;
}

const PROMPT = '$ ';
const CONTINUATION = '> ';

/** The commands in a page's `console` blocks, in order: `$ ` begins one, `> ` goes on with it, every other line is printed by it. */
export function commandsOf(page: string): PageCommand[] {
  const commands: PageCommand[] = [];
  let inBlock = false;
  for (const [index, text] of page.split('\n').entries()) {
    if (text.startsWith('```')) inBlock = text === '```console';
    else if (inBlock) take(text, index + 1, commands);
  }
  return commands.map((command) => ({ ...command, printed: trimmed(command.printed) }));
}

function take(text: string, line: number, commands: PageCommand[]): void {
  const last = commands.at(-1);
  if (text.startsWith(PROMPT)) commands.push({ command: text.slice(PROMPT.length), printed: [], line });
  else if (last === undefined) throw new Error(`Line ${line} is printed by no command: ${text}`);
  else if (text.startsWith(CONTINUATION) && last.printed.length === 0)
    last.command += `\n${text.slice(CONTINUATION.length)}`;
  else last.printed.push(text);
}

/** Blank lines between a command's output and the next prompt are the page's layout. */
function trimmed(lines: string[]): string[] {
  let end = lines.length;
  while (end > 0 && lines[end - 1]?.trim() === '') end--;
  return lines.slice(0, end);
}
