// Progress for steps that take longer than a second: one line that counts the seconds on a terminal, a plain line elsewhere.
import { spawn } from 'node:child_process';

const isTerminal = process.stdout.isTTY === true;

/** Run a command to its end; its output is shown only if it fails. Resolves to its standard output. */
export async function step(label, command, args, options = {}) {
  const started = Date.now();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  const [out, all] = [[], []];
  child.stdout.on('data', (data) => (out.push(data), all.push(data)));
  child.stderr.on('data', (data) => all.push(data));
  const seconds = () => Math.round((Date.now() - started) / 1000);
  let announced = false;
  const timer = setInterval(() => {
    if (isTerminal) process.stdout.write(`\r  ${label} … ${seconds()} s`);
    else if (!announced) console.log(`  ${label} …`);
    announced = true;
  }, 1000);
  const status = await new Promise((resolve) => {
    child.on('error', (error) => (all.push(Buffer.from(error.message)), resolve(-1)));
    child.on('close', (code, signal) => resolve(signal ?? code));
  });
  clearInterval(timer);
  if (announced && isTerminal) process.stdout.write('\r\x1b[K');
  if (status === 0) {
    if (announced) console.log(`  ${label}: done in ${seconds()} s`);
    return Buffer.concat(out).toString();
  }
  const tail = Buffer.concat(all).toString().trim().split('\n').slice(-8).join('\n  ');
  throw new Error(`${label} failed (${status}):\n  ${tail}`);
}
