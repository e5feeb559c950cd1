import { runProgram } from './program.ts';
import { processSink, processSource } from './terminal/process-streams.ts';

/** Under which name the user called us: the launchers say so, a compiled executable has its own. */
function programName(): string {
  const name = process.env.SAMPAN_PROGRAM ?? process.argv0;
  return name.slice(name.lastIndexOf('/') + 1) === 'docker' ? 'docker' : 'sampan';
}

const status = await runProgram({
  program: programName(),
  argv: process.argv.slice(2),
  env: process.env,
  cwd: process.cwd(),
  stdin: processSource(),
  stdout: processSink(1),
  stderr: processSink(2),
});
process.exit(status);
