import { spawnSync } from 'node:child_process';
import { accessSync, constants, realpathSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Run to the end, output unseen (kept for the error, unless it is `bulky`). @throws Error with what it said when it fails or takes over five minutes. */
export function runCommand(
  command: readonly string[],
  env: Record<string, string> = {},
  { bulky = false } = {},
): void {
  const [program = '', ...args] = command;
  const { DOCKER_HOST: _host, DOCKER_CONTEXT: _context, ...inherited } = process.env;
  const result = spawnSync(program, args, {
    stdio: ['ignore', bulky ? 'ignore' : 'pipe', 'pipe'],
    encoding: 'utf8',
    timeout: 300_000,
    env: { ...inherited, ...env },
  });
  if (result.status === 0) return;
  const reason = result.error?.message ?? `${result.stderr}${result.stdout ?? ''}`.trim();
  throw new Error(`${command.slice(0, 6).join(' ')} …: ${reason || `exit status ${result.status}`}`);
}

/** The same without waiting for it here, output unseen, for ten minutes at most. */
export async function runCommandAside(
  command: readonly string[],
  env: Record<string, string> = {},
): Promise<void> {
  const { DOCKER_HOST: _host, DOCKER_CONTEXT: _context, ...inherited } = process.env;
  const child = Bun.spawn([...command], {
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: 600_000,
    env: { ...inherited, ...env },
  });
  const said = await new Response(child.stderr).text();
  if ((await child.exited) !== 0) throw new Error(`${command.slice(0, 6).join(' ')} …: ${said.trim()}`);
}

/** The first executable of that name in PATH that does not lie below `except`. */
export function findProgram(name: string, except?: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders
    .filter(Boolean)
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return except === undefined || !realpathSync(path).startsWith(`${except}/`);
      } catch {
        return false;
      }
    });
}
