import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from '../program.ts';
import type { Sink } from '../terminal/sink.ts';
import recorded from './testing/docker-contexts.json';

// A session as the stock client 28.2 has answered it, each step on what the one before has left. DIR is the folder that it ran in.
interface Step {
  args: string[];
  env: Record<string, string | undefined>;
  stdout: string;
  stderr: string;
  code: number;
}
const steps = recorded.steps as Step[];
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sampan-contexts-'));
  writeFileSync(join(folder, 'cert.pem'), recorded.certificate);
  writeFileSync(join(folder, 'ca'), '');
  writeFileSync(join(folder, 'junk'), 'junk\n');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function run(args: readonly string[], env: Step['env'] = {}) {
  const seen = { stdout: '', stderr: '' };
  const sink = (name: 'stdout' | 'stderr'): Sink => ({
    isTerminal: false,
    size: () => ({ width: 80, height: 24 }),
    write: async (data) => {
      seen[name] += typeof data === 'string' ? data : Buffer.from(data).toString();
    },
  });
  const code = await runProgram({
    program: 'docker',
    argv: args,
    env: { HOME: folder, DOCKER_CONFIG: join(folder, 'cfg'), ...env },
    cwd: folder,
    stdin: {
      isTerminal: false,
      chunks: async function* () {},
      setRaw: async () => undefined,
      setEcho: async () => undefined,
    },
    stdout: sink('stdout'),
    stderr: sink('stderr'),
  });
  const shown = (text: string) =>
    text
      .replaceAll(folder, 'DIR')
      // What is cut off depends on where the folder is.
      .replace(/open \/\S{5}…/, 'open /tmp/d…')
      .replaceAll('unix:///run/sampan.sock', 'unix:///var/run/docker.sock');
  return { stdout: shown(seen.stdout), stderr: shown(seen.stderr), code };
}

test.each(steps.map((step) => [step.args.join(' '), step] as const))('docker %s', async (_, step) => {
  const { stdout, stderr, code } = step;
  expect(await run(step.args, step.env)).toEqual({ stdout, stderr, code });
});

test('what a context holds is kept for its owner alone, and the rest of config.json as it was', async () => {
  const config = join(folder, 'cfg/config.json');
  writeFileSync(config, '{\n  "auths": {"host": {"auth": "eDp5"}},\n  "own": [1]\n}\n');
  expect(await run(['context', 'create', 'kept', '--docker', 'host=tcp://h:1,ca=cert.pem'])).toMatchObject({
    code: 0,
  });
  const [places] = JSON.parse((await run(['context', 'inspect', 'kept'])).stdout) as [
    { Storage: { TLSPath: string } },
  ];
  const pem = join(places.Storage.TLSPath.replace('DIR', folder), 'docker/ca.pem');
  expect(readFileSync(pem, 'utf8')).toBe(recorded.certificate);
  expect(statSync(pem).mode & 0o777).toBe(0o600);
  expect(await run(['context', 'use', 'kept'])).toMatchObject({ code: 0 });
  expect(JSON.parse(readFileSync(config, 'utf8'))).toEqual({
    auths: { host: { auth: 'eDp5' } },
    own: [1],
    currentContext: 'kept',
  });
  // Its daemon is asked from now on, without another word.
  expect((await run(['ps'])).stderr).toContain('tcp://h:1');
  expect(await run(['context', 'rm', '-f', 'kept'])).toMatchObject({ code: 0, stdout: 'kept\n' });
  expect((await run(['context', 'show'])).stdout).toBe('default\n');
});

test.each([
  ['not JSON', 'meta.json', '{'],
  ['without a host', 'meta.json', '{"Name":"x","Endpoints":{}}'],
])('an archive of a context %s leaves nothing', async (_, member, text) => {
  const { writeTar } = await import('../../archive/tar-writer.ts');
  const data = Buffer.from(text);
  const entry = { path: member, type: 'file' as const, mode: 0o644, size: data.length };
  writeFileSync(
    join(folder, 'bad.tar'),
    Buffer.concat(await Array.fromAsync(writeTar([{ entry, data: [data] }]))),
  );
  expect(await run(['context', 'import', 'bad', 'bad.tar'])).toMatchObject({ code: 1, stdout: '' });
  expect(await run(['context', 'inspect', 'bad'])).toMatchObject({ code: 1, stdout: '[]\n' });
});
