import { messageOf } from '../errors/engine-error.ts';
import { SyscallError } from './libc.ts';
import { type MountCall, mount, unmountIfMounted } from './mount.ts';

declare const self: Worker;

export interface MountReply {
  failed?: { index: number; errno: number; message: string };
}

self.onmessage = ({ data: calls }: MessageEvent<readonly MountCall[]>) => {
  for (const [index, call] of calls.entries()) {
    try {
      mount(call);
    } catch (error) {
      if (index > 0) unmountIfMounted(call.target, { detach: true });
      const errno = error instanceof SyscallError ? error.errno : 0;
      return reply({ failed: { index, errno, message: messageOf(error) } });
    }
  }
  reply({});
};

function reply(message: MountReply): void {
  self.postMessage(message);
}
