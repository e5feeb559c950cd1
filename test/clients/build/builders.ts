import type { CommandResult } from '../../support/engine/command.ts';
import type { BuildFixture } from './build-fixture.ts';

export type Build = (args: readonly string[], env?: Record<string, string>) => Promise<CommandResult>;

/** The clients that build here by ways of their own: BuildKit's protocol, and our CLI's. */
export const BUILDERS = ['buildx', 'sampan'] as const;

/** `build --progress plain` of one of them. */
export function builderOf(fixture: () => BuildFixture, name: (typeof BUILDERS)[number]): Build {
  return async (args, env = {}) =>
    await fixture().daemon.run(['build', '--progress', 'plain', ...args], {
      env,
      timeoutMs: 100_000,
      client: name === 'sampan' ? 'sampan' : 'docker',
    });
}
