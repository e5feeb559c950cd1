import { UsageError } from '../cli/flags/usage-error.ts';
import { EngineError, messageOf } from '../errors/engine-error.ts';
import { ensureMountNamespace } from '../sys/mount-namespace.ts';
import { buildInfo } from './build-info.ts';
import { daemonFlags, readSettings } from './daemon-settings.ts';
import { daemonHelp } from './help.ts';

const args = process.argv.slice(2);

async function main(): Promise<void> {
  if (args[0] === 'registry') {
    const { runRegistryProgram } = await import('./embedded-registry/registry-program.ts');
    return await runRegistryProgram(args.slice(1));
  }
  if (args[0] === 'doctor') {
    const { runDoctor } = await import('./doctor/doctor-program.ts');
    process.exitCode = await runDoctor(args.slice(1));
    return;
  }
  if (args[0] === 'shutdown') {
    const { runShutdown } = await import('./shutdown-program.ts');
    return await runShutdown(args.slice(1));
  }
  if (args[0] === 'uninstall') {
    const { runUninstall } = await import('./uninstall/uninstall-program.ts');
    process.exitCode = await runUninstall(args.slice(1));
    return;
  }
  if (args.includes('--help') || args.includes('-h')) return write(daemonHelp(daemonFlags));
  if (args.includes('--version') || args.includes('-v'))
    return write(`Sampan version ${buildInfo.version}, build ${buildInfo.gitCommit || 'from source'}\n`);
  const settings = readSettings(args);
  if (args.includes('--validate')) return write('configuration OK\n');
  ensureMountNamespace({
    execRoot: settings.execRoot,
    dataRoot: settings.dataRoot,
    argv: [process.execPath, ...process.execArgv, ...process.argv.slice(1)],
    env: process.env,
  });
  // Only now: the process that enters the namespace begins anew and would load all of it twice.
  const { runDaemon } = await import('./run-daemon.ts');
  await runDaemon(settings, args);
}

function write(text: string): void {
  process.stdout.write(text);
}

try {
  await main();
} catch (error) {
  const hint = error instanceof EngineError && error.hint !== undefined ? `\n${error.hint}` : '';
  const help = error instanceof UsageError ? "\nSee 'sampand --help'." : '';
  process.stderr.write(`sampand: ${messageOf(error)}${hint}${help}\n`);
  process.exit(1);
}
