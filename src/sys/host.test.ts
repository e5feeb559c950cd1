import { expect, test } from 'bun:test';
import { execFileSync } from 'node:child_process';
import { openFileLimit, parseOsRelease, readHostFacts } from './host.ts';

const output = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8' }).trim();

test('the facts agree with uname, nproc and meminfo', () => {
  const facts = readHostFacts();
  expect(facts).toMatchObject({
    hostname: output('uname', '-n'),
    kernelVersion: output('uname', '-r'),
    architecture: output('uname', '-m'),
    cpus: Number(output('nproc')),
  });
  const memory = Number(/MemTotal:\s+(\d+) kB/.exec(output('cat', '/proc/meminfo'))?.[1]) * 1024;
  expect(facts.memoryBytes).toBe(memory);
});

test('os-release is read with its quotes', () => {
  const text = `# x\nNAME="Debian \\"GNU\\"/Linux"\nVERSION_ID='12'\nID=debian\nBAD LINE\nEMPTY=\n`;
  expect(Object.fromEntries(parseOsRelease(text))).toEqual({
    NAME: 'Debian "GNU"/Linux',
    VERSION_ID: '12',
    ID: 'debian',
    EMPTY: '',
  });
});

test('the limit of open files is the one that the kernel tells', () => {
  expect(openFileLimit()).toBe(
    Number(output('prlimit', '--pid', String(process.pid), '--nofile', '--noheadings', '-o', 'SOFT')),
  );
});
