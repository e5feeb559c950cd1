import { unmountIfMounted } from './mount.ts';
import { serveRequests } from './request-thread.ts';

declare const self: Worker;

serveRequests(self, (target: string) => unmountIfMounted(target, { detach: true }));
