import type { ProgressMessage } from '../../client/model.ts';
import { EngineError } from '../../errors/engine-error.ts';
import { formatDuration } from '../../wire/time.ts';
import type { Sink } from '../terminal/sink.ts';
import { humanSize } from './human-size.ts';
import { localRfc3339Nano } from './local-time.ts';

const BAR_WIDTH = 50;
const WIDE_ENOUGH_FOR_BAR = 110;
const WIDE_ENOUGH_FOR_TIME = 50;
const CLEAR_LINE = '\x1b[2K';

/**
 * Show a pull's, import's or load's progress: on a terminal one line for each layer, redrawn in place; elsewhere plain lines.
 *
 * @throws EngineError with the daemon's message when the stream tells of a failure.
 */
export async function showProgress(
  messages: AsyncIterable<ProgressMessage>,
  sink: Sink,
  options: { onAux?: (aux: unknown) => void } = {},
): Promise<void> {
  const terminal = sink.isTerminal;
  const lines = new Map<string, number>();
  for await (const message of messages) {
    if (message.aux !== undefined && message.aux !== null) {
      options.onAux?.(message.aux);
      continue;
    }
    let text = '';
    let up = 0;
    if (message.id && (message.progressDetail !== undefined || message.progress)) {
      const known = lines.get(message.id);
      if (known === undefined) {
        lines.set(message.id, lines.size);
        if (terminal) text += '\n';
      }
      up = lines.size - (known ?? lines.size - 1);
      if (terminal && up > 0) text += `\x1b[${up}A`;
    } else lines.clear();
    text += line(message, { terminal, width: terminal ? sink.size().width : 0 });
    if (terminal && message.id && up > 0) text += `\x1b[${up}B`;
    if (text !== '') await sink.write(text);
  }
}

function line(message: ProgressMessage, { terminal, width }: { terminal: boolean; width: number }): string {
  const failure = message.errorDetail?.message ?? message.error;
  if (failure !== undefined) throw new EngineError('internal', failure);
  const detail = message.progressDetail;
  const bar = detail === undefined ? '' : progressBar(detail, width);
  const redraw = terminal && message.stream === undefined && detail !== undefined;
  // Without a terminal a bar would be thousands of lines.
  if (!redraw && bar !== '') return '';
  const start = redraw ? `${CLEAR_LINE}\r` : '';
  const end = redraw ? '\r' : '';
  const head = `${time(message)}${message.id ? `${message.id}: ` : ''}${message.from ? `(from ${message.from}) ` : ''}`;
  const status = message.status ?? '';
  if (detail !== undefined && terminal) return `${start}${head}${status} ${bar}${end}`;
  if (message.progress) return `${start}${head}${status} ${message.progress}${end}`;
  if (message.stream) return `${start}${head}${message.stream}${end}`;
  return `${start}${head}${status}${end}\n`;
}

function time(message: ProgressMessage): string {
  if (message.timeNano) return `${localRfc3339Nano(BigInt(message.timeNano))} `;
  return message.time ? `${localRfc3339Nano(BigInt(message.time) * 1_000_000_000n)} ` : '';
}

type Detail = NonNullable<ProgressMessage['progressDetail']>;

/** `[=====>     ]  1.2MB/3.4MB`; the bar only where there is room. */
export function progressBar(detail: Detail, width: number, now = Date.now() / 1000): string {
  const current = Number(detail.current ?? 0);
  const total = Number(detail.total ?? 0);
  if (current <= 0 && total <= 0) return '';
  const amount = (value: number) =>
    detail.units === undefined || detail.units === '' ? humanSize(value) : String(value);
  if (total <= 0) return detail.units ? `${amount(current)} ${detail.units}` : amount(current).padStart(8);
  const filled = Math.min(BAR_WIDTH, Math.trunc(Math.trunc((current / total) * 100) / 2));
  const box = width > WIDE_ENOUGH_FOR_BAR ? `[${'='.repeat(filled)}>${' '.repeat(BAR_WIDTH - filled)}] ` : '';
  const units = detail.units ? ` ${detail.units}` : '';
  const left = detail.units ? amount(current) : amount(current).padStart(8);
  const counts =
    detail.hidecounts === true ? '' : `${current > total ? left : `${left}/${amount(total)}`}${units}`;
  return `${box}${counts}${timeLeft(detail, { filled, width, now })}`;
}

/** What is left at the pace so far, where the daemon tells when it began: ` 2m5s`. */
function timeLeft(
  { current = 0, total = 0, start = 0 }: Detail,
  { filled, width, now }: { filled: number; width: number; now: number },
): string {
  if (width <= WIDE_ENOUGH_FOR_TIME || Number(current) <= 0 || start <= 0 || filled >= BAR_WIDTH) return '';
  const each = Math.max(0, now - start) / Number(current);
  const seconds = Math.round((Number(total) - Number(current)) * each);
  return ` ${formatDuration(BigInt(seconds) * 1_000_000_000n)}`;
}
