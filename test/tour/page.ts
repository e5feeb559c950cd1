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

/** What happens on the terminals of a page's `terminals` block: a command begins one, or something is typed there. */
export interface TerminalAct {
  terminal: number;
  kind: 'start' | 'type';
  text: string;
}

/** Several terminals at work at once, and what each of them shows in the end. */
export interface TerminalScene {
  acts: TerminalAct[];
  /** The same on all of them. */
  screen: string[];
  /** Line of the page, from 1. */
  line: number;
}

const ACT = /^(\d)([$>]) (.*)$/;
const TERMINALS = '```terminals';

/** A page's commands and scenes, in order. */
export function stepsOf(page: string): (PageCommand | TerminalScene)[] {
  return [...commandsOf(page), ...scenesOf(page)].toSorted((one, other) => one.line - other.line);
}

/** `1$ command` begins terminal 1, `1> text` is typed there; what follows stands on every screen. */
function scenesOf(page: string): TerminalScene[] {
  const lines = page.split('\n');
  return lines.flatMap((text, at) => {
    if (text !== TERMINALS) return [];
    const inside = lines.slice(at + 1, lines.indexOf('```', at));
    const acts = inside.flatMap((line): TerminalAct[] => {
      const [, terminal, kind, typed = ''] = ACT.exec(line) ?? [];
      if (terminal === undefined) return [];
      return [{ terminal: Number(terminal), kind: kind === '$' ? 'start' : 'type', text: typed }];
    });
    return [{ acts, screen: trimmed(inside.filter((line) => !ACT.test(line))), line: at + 1 }];
  });
}

/** What a keyboard sends for a line: `^P` is Control and P, any other line ends with Enter. */
export function keysOf(text: string): string {
  const isControl = /^(?:\^[@-_])+$/.test(text);
  if (!isControl) return `${text}\r`;
  return text.replaceAll(/\^(.)/g, (_, letter: string) => String.fromCharCode(letter.charCodeAt(0) & 31));
}
