import { readFileSync } from 'node:fs';
import { closeFd } from '../../sys/pipe.ts';

/** conmon passes on at most 8 KB of what the runtime said, each character escaped. */
const MAX_REPORT_CHARS = 64 * 1024;

/** What conmon said in vain: the runtime's own words, to be turned into Docker's. */
export class MonitorReport extends Error {}

/** The monitor's line: `{"data": <pid>}`, or `{"data": -1, "message": <what the runtime said>}`; or its death. */
export async function readPid(lines: ReportLines, logs: readonly string[]): Promise<number> {
  const report = parseReport(await lines.next());
  if (report !== undefined && report.data > 0) return report.data;
  throw failed(report, logs);
}

/** `{"data": 0}` */
export async function readAttachable(lines: ReportLines, logs: readonly string[]): Promise<void> {
  const report = parseReport(await lines.next());
  if (report?.data !== 0) throw failed(report, logs);
}

/** Where conmon itself has nothing to say, the first of the logs that is not empty has. */
function failed(report: { message?: string } | undefined, logs: readonly string[]): MonitorReport {
  const said = report?.message ?? logs.map(readText).find((text) => text !== '');
  return new MonitorReport(said ?? 'the monitor died');
}

function parseReport(line: string): { data: number; message?: string } | undefined {
  if (line.trim() === '') return undefined;
  let report: unknown;
  try {
    report = JSON.parse(line);
  } catch {
    return { data: -1, message: line.trim() };
  }
  if (typeof report !== 'object' || report === null || !('data' in report)) return undefined;
  const message = 'message' in report && typeof report.message === 'string' ? report.message : undefined;
  return { data: Number(report.data), ...(message === undefined ? {} : { message }) };
}

/** Lines that come through a socket, which is closed by us or with the monitor's death. */
export class ReportLines {
  #text = '';
  #ended = false;
  #wake: () => void = () => undefined;
  #socket: { terminate(): void } | undefined;

  constructor(fd: number) {
    const decoder = new TextDecoder();
    Bun.connect({
      fd,
      socket: {
        data: (_socket: unknown, data: Uint8Array) => this.#take(decoder.decode(data, { stream: true })),
        error: () => undefined,
        close: () => this.#end(),
      },
    } as unknown as Parameters<typeof Bun.connect>[0]).then(
      (socket) => {
        this.#socket = socket;
        if (this.#ended) socket.terminate();
      },
      () => {
        closeFd(fd);
        this.#end();
      },
    );
  }

  /** The next line, or what there was of it at the end. */
  async next(): Promise<string> {
    for (;;) {
      const end = this.#text.indexOf('\n');
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return line;
      }
      if (this.#ended || this.#text.length >= MAX_REPORT_CHARS) return this.#text;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    this.#end();
    this.#socket?.terminate();
  }

  #take(text: string): void {
    if (this.#text.length < MAX_REPORT_CHARS) this.#text += text;
    this.#wake();
  }

  #end(): void {
    this.#ended = true;
    this.#wake();
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}
