import { type SerializedError, serializeError } from '../errors/engine-error.ts';
import { unmountIfMounted } from './mount.ts';

declare const self: Worker;

export interface UnmountRequest {
  id: number;
  target: string;
}

export interface UnmountReply {
  id: number;
  mounted: boolean;
  error?: SerializedError;
}

self.onmessage = ({ data: { id, target } }: MessageEvent<UnmountRequest>) => {
  try {
    reply({ id, mounted: unmountIfMounted(target, { detach: true }) });
  } catch (error) {
    reply({ id, mounted: true, error: serializeError(error) });
  }
};

function reply(message: UnmountReply): void {
  self.postMessage(message);
}
