import { resolve } from 'node:path';

const bin = (name: string) => resolve(import.meta.dir, '../../../bin', name);

export interface StandAloneRegistry {
  url: string;
  pid: number;
  log(): string;
  /** Resolves with the exit code. */
  stop: (signal?: NodeJS.Signals) => Promise<number | null>;
}

/** `sampan registry serve` on a free port of loopback, once it says that it listens. */
export async function startStandAloneRegistry(
  root: string,
  args: readonly string[] = [],
): Promise<StandAloneRegistry> {
  const command = [bin('sampan'), 'registry', 'serve', '--root', root, '--addr', '127.0.0.1:0', ...args];
  const child = Bun.spawn(command, {
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'pipe',
    env: { PATH: process.env['PATH'] ?? '', SAMPAN_SOURCES: '1' },
  });
  let log = '';
  const decoder = new TextDecoder();
  const listening = Promise.withResolvers<string>();
  void (async () => {
    for await (const chunk of child.stderr) {
      log += decoder.decode(chunk, { stream: true });
      const url = /registry listens" url="([^"]+)"/.exec(log)?.[1];
      if (url !== undefined) listening.resolve(url);
    }
    listening.reject(new Error(`The registry ended:\n${log}`));
  })();
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    child.kill(signal);
    await child.exited;
    return child.exitCode;
  };
  const url = await listening.promise;
  return { url, pid: child.pid, log: () => log, stop };
}

/** Run `sampan registry …` to its end. */
export async function registryCommand(
  args: readonly string[],
): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const child = Bun.spawn([bin('sampan'), 'registry', ...args], {
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    env: { PATH: process.env['PATH'] ?? '', SAMPAN_SOURCES: '1' },
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { exitCode: await child.exited, stdout, stderr };
}
