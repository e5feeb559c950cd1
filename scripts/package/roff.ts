/** Text for a page in man(7)'s language: what roff would take for its own is escaped. */
export function roffText(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('~', '\\(ti')
    .replaceAll('^', '\\(ha')
    .replaceAll('`', '\\(ga')
    .split('\n')
    .map((line) => (/^[.']/.test(line) ? `\\&${line}` : line))
    .join('\n');
}

/** An argument of a macro. */
export function roffQuoted(text: string): string {
  return `"${roffText(text).replaceAll('"', '\\(dq')}"`;
}

export interface Heading {
  name: string;
  section: number;
  /** `2026-01-31`. */
  date: string;
  version: string;
}

export function roffHead({ name, section, date, version }: Heading): string {
  return `.TH ${roffQuoted(name.toUpperCase())} ${section} ${roffQuoted(date)} ${roffQuoted(`Sampan ${version}`)} "Sampan"\n`;
}

export function roffSection(title: string, body: string): string {
  return body === '' ? '' : `.SH ${roffQuoted(title.toUpperCase())}\n${body}`;
}

/** Lines as they are. */
export function roffVerbatim(lines: readonly string[]): string {
  return `.nf\n${lines.map(roffText).join('\n')}\n.fi\n`;
}

/** Paragraphs; a line that is indented stays as it is. */
export function roffParagraphs(text: string): string {
  return text
    .split('\n\n')
    .map((paragraph) =>
      paragraph.startsWith(' ')
        ? `.PP\n.RS 4\n${roffVerbatim(paragraph.split('\n').map((line) => line.trimStart()))}.RE\n`
        : `.PP\n${roffText(paragraph)}\n`,
    )
    .join('');
}
