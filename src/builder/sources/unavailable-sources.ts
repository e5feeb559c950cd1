import { EngineError } from '../../errors/engine-error.ts';
import type { RemoteSources } from './remote-sources.ts';

async function refuse(url: string): Promise<never> {
  throw new EngineError('not-implemented', `Cannot fetch ${url}: remote sources are not supported yet`);
}

export const remoteSources: RemoteSources = { http: refuse, git: refuse, context: refuse };
