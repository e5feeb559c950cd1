/** What `docker` marks its notes and trees with, as ANSI sequences. */
export const STYLES = {
  bold: '\x1b[1m',
  faint: '\x1b[2m',
  italic: '\x1b[3m',
  underline: '\x1b[4m',
  black: '\x1b[30m',
  red: '\x1b[31m',
  green: '\x1b[32m',
  blue: '\x1b[34m',
  default: '\x1b[39m',
  lightYellow: '\x1b[93m',
  lightCyan: '\x1b[96m',
  onLightCyan: '\x1b[106m',
  onLightYellow: '\x1b[103m',
} as const;

const RESET = '\x1b[0m';

/** `text` in a style, made of one sequence or more. */
export function styled(style: string, text: string): string {
  return style === '' ? text : `${style}${text}${RESET}`;
}

const { bold, black, onLightCyan, lightCyan } = STYLES;

/** Heads a note. */
export function infoHeader(terminal: boolean): string {
  if (!terminal) return ' Info -> ';
  return styled(bold, `${styled(onLightCyan, styled(black, 'i'))} ${styled(lightCyan, 'Info → ')}`);
}

/** Heads a note that warns. */
export function warningHeader(terminal: boolean): string {
  if (!terminal) return ' Warn -> ';
  const { lightYellow, onLightYellow } = STYLES;
  return styled(bold, `${styled(onLightYellow, styled(black, 'w'))} ${styled(lightYellow, 'Warn → ')}`);
}

/** Characters that `text` takes on the screen, without its ANSI sequences. */
export function visibleWidth(text: string): number {
  return Bun.stringWidth(text);
}
