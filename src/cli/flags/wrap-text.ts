/** A last word may stand out by this much rather than on a line of its own. */
const SLOP = 5;
const NARROWEST = 24;

/** Wrap `text` for a column that begins at `indent` on a screen `width` wide; the first line's indent is the caller's. */
export function wrapText(text: string, { indent, width }: { indent: number; width: number }): string {
  const narrow = width - indent < NARROWEST;
  const left = narrow ? 16 : indent;
  const margin = `\n${' '.repeat(left)}`;
  const room = width - left - SLOP;
  const lines = text.split('\n').flatMap((line) => (room < 1 ? [line] : wrapLine(line, room)));
  return (narrow ? margin : '') + lines.join(margin);
}

function wrapLine(line: string, room: number): string[] {
  const lines: string[] = [];
  let rest = line;
  while (rest.length >= room + SLOP) {
    const cut = rest.slice(0, room).lastIndexOf(' ');
    if (cut <= 0) break;
    lines.push(rest.slice(0, cut));
    rest = rest.slice(cut + 1);
  }
  return [...lines, rest];
}
