import { version } from '../../package.json';
import type { BuildInfo } from '../server/server-options.ts';

declare const SAMPAN_GIT_COMMIT: string | undefined;
declare const SAMPAN_BUILD_TIME: string | undefined;

/** What this build is; commit and time are put in by `npm run build`. */
export const buildInfo: BuildInfo = {
  version,
  gitCommit: typeof SAMPAN_GIT_COMMIT === 'string' ? SAMPAN_GIT_COMMIT : '',
  buildTime: typeof SAMPAN_BUILD_TIME === 'string' ? SAMPAN_BUILD_TIME : '',
};
