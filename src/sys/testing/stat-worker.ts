import { statSync } from 'node:fs';
import { serveRequests } from '../request-thread.ts';

declare const self: Worker;

serveRequests(self, (path: string) => statSync(path).isDirectory());
