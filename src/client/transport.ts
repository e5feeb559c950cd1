export type HttpMethod = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';

export interface TransportRequest {
  method: HttpMethod;
  /** Path with version prefix and query, `/v1.51/containers/json?all=1`. */
  path: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array | AsyncIterable<Uint8Array>;
  signal?: AbortSignal | undefined;
}

export interface ResponseHead {
  status: number;
  /** First value of a header, looked up without regard to case. */
  header(this: void, name: string): string | undefined;
}

export interface BufferedResponse extends ResponseHead {
  text: string;
}

export interface StreamedResponse extends ResponseHead {
  /** One consumer; leaving the loop closes the connection. */
  body: AsyncIterable<Uint8Array>;
  /** From now on its connection doesn't keep the process alive. */
  unref?(this: void): void;
}

/** A connection that has left HTTP: bytes both ways. */
export interface HijackedConnection extends ResponseHead {
  input: AsyncIterable<Uint8Array>;
  /** Resolves when the bytes are handed to the kernel. */
  write(data: Uint8Array): Promise<void>;
  /** Half-close: the daemon sees the end of our input, its output goes on. */
  closeWrite(): Promise<void>;
  close(): void;
}

/** How the client reaches a daemon. Statuses are not judged here; only a lost or refused connection throws. */
export interface Transport {
  /** As the user wrote it: `unix:///run/sampan.sock`, `tcp://host:2376`. */
  readonly endpoint: string;
  /** @throws EngineError "unavailable" when the daemon can't be reached; `signal.reason` when aborted. */
  request(request: TransportRequest): Promise<BufferedResponse>;
  stream(request: TransportRequest): Promise<StreamedResponse>;
  /** Ask for an upgrade. An answer other than 101, or 200 with a raw stream, comes back as it is. */
  hijack(request: TransportRequest): Promise<HijackedConnection | BufferedResponse>;
  /** That many requests will follow at once: connect for them meanwhile. */
  connectAhead?(count: number): void;
}

/** A connected byte stream, as the platform gives it: Bun's socket, Node's socket. */
export interface ByteStream {
  /** One consumer; ends when the peer closes its side; throws when the connection breaks. */
  chunks: AsyncIterable<Uint8Array>;
  write(data: Uint8Array): Promise<void>;
  closeWrite(): Promise<void>;
  close(): void;
  /** From now on it doesn't keep the process alive. */
  unref?(): void;
}

/** Opens a new connection to the daemon. Rejects with the system's error. */
export type Dial = () => Promise<ByteStream>;
