import type { Sink } from '../terminal/sink.ts';
import { infoHeader, STYLES, styled, visibleWidth, warningHeader } from './styles.ts';

/** A note to the user, apart from what a command puts out: `Info -> …` or `Warn -> …`, further lines below the first. */
export async function printNote(
  sink: Sink,
  text: string,
  options: { warning?: boolean } = {},
): Promise<void> {
  const terminal = sink.isTerminal;
  const header = options.warning === true ? warningHeader(terminal) : infoHeader(terminal);
  const margin = ' '.repeat(visibleWidth(header));
  const marked = terminal ? text.replaceAll('--platform', styled(STYLES.bold, '--platform')) : text;
  const lines = marked
    .split('\n')
    .map(
      (line, index) => `${index === 0 ? header : margin}${terminal ? styled(STYLES.italic, line) : line}\n`,
    );
  await sink.write(`\n${lines.join('')}`);
}
