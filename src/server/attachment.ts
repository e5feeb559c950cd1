import type { AttachClient } from '../containers/container-backend.ts';

/** A client's pipes, to be finished by the handler that asked for them. */
export interface Attachment extends AttachClient {
  /** Nothing more will be written: send what is left and end. */
  finish(): void;
}
