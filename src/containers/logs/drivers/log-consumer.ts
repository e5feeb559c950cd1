import type { LogLine } from '../../container-backend.ts';

/** Where a container's lines go besides its journal. */
export interface LogConsumer {
  /** Resolves when they have been taken, in their order. Rejects when they have not, or not all: then they come again. */
  send(lines: readonly LogLine[]): Promise<void>;
  close(): void;
}

/** What a consumer tells of the container with each line. */
export interface LogOrigin {
  containerId: string;
  /** Without slash. */
  containerName: string;
  imageName: string;
  tag: string;
  attributes: ReadonlyMap<string, string>;
}
