import type { NamedContainer, NamedEndpoint, NameState } from './name-server.ts';

/** Lines of JSON between the daemon and its name server. An older server may meet a newer daemon: what changes gets a new name. */
export type ControlRequest = { id: number } & (
  | { do: 'adopt'; state: NameState }
  | { do: 'serve'; container: NamedContainer }
  | { do: 'forget'; containerId: string }
  | { do: 'add'; endpoint: NamedEndpoint }
  | { do: 'remove'; endpointId: string }
  | { do: 'stop' }
);

export interface ControlAnswer {
  id: number;
  value?: unknown;
  error?: string;
}

/** Bound of one line: a state of some ten thousand containers. */
export const MAX_LINE_BYTES = 64 << 20;

/** Cuts a stream into lines, and keeps what is not whole. */
export class LineReader {
  #rest = '';
  readonly #decoder = new TextDecoder();

  /** @throws when a line grows past its bound. */
  push(data: Uint8Array): string[] {
    const lines = (this.#rest + this.#decoder.decode(data, { stream: true })).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > MAX_LINE_BYTES) throw new RangeError('A line without end');
    return lines.filter((line) => line !== '');
  }
}
