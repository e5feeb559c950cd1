import { expect, test } from 'bun:test';
import { join } from 'node:path';
import { run } from '../sys/spawn.ts';

const script = (body: string) => `
  import { logStrayErrors } from ${JSON.stringify(join(import.meta.dir, 'stray-errors.ts'))};
  const say = (message, fields) => console.log(message, fields?.error ?? '');
  logStrayErrors(process, { debug: say, info: say, warn: say, error: say });
  ${body}
  setTimeout(() => { console.log('still here'); process.exit(0); }, 100);
`;

test.each([
  ['a stray rejection', "void Promise.reject(new Error('lost one'));"],
  ['an error in a callback', "setTimeout(() => { throw new Error('lost one'); }, 1);"],
  [
    'an emitter without listener',
    "setTimeout(() => new (require('node:events'))().emit('error', new Error('lost one')), 1);",
  ],
])('%s is told with its stack and ends nobody', async (_what, body) => {
  const result = await run([process.execPath, '-e', script(body)], { timeoutMs: 10_000 });
  expect(result.stdout).toContain('lost one');
  expect(result.stdout).toContain(' at ');
  expect(result.stdout).toContain('still here');
  expect(result.exitCode).toBe(0);
});
