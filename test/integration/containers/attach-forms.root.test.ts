import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test';
import { type AttachOutcome, attachForms, observeAll } from '../../support/engine/attach-forms.ts';
import { eventually, run } from '../../support/engine/command.ts';
import { type ClientName, startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';
import { importVolumeBox } from '../../support/engine/volume-box.ts';
// Recorded from Docker 28.5 with its own client.
import recorded from './attach-forms.json' with { type: 'json' };

let engine: TestDaemon;
beforeAll(async () => {
  engine = await startDaemon();
  await importVolumeBox(engine, 'box');
});
afterAll(() => engine?.close());

test.each<ClientName>(['docker', 'sampan'])(
  '%s, in each form of run, start and attach',
  async (name) => {
    const [command = ''] = engine.command([], name);
    const forms = attachForms('box');
    const outcomes = await observeAll(forms, { command, env: engine.env, image: 'box' }, 6);
    const expected: Record<string, AttachOutcome> = recorded;
    const differing = forms
      .map((form) => ({ form: form.name, seen: outcomes[form.name], expected: expected[form.name] }))
      .filter(({ seen, expected: wanted }) => !Bun.deepEquals(seen, wanted));
    expect(differing).toEqual([]);
    expect(forms.map((form) => form.name)).toEqual(Object.keys(expected));
  },
  300_000,
);

afterEach(() => engine.removeContainers());

const trap = 'trap "echo term; exit 5" TERM; echo up; while :; do sleep 0.05; done';
const isUp = async () => {
  const { code, stdout } = await engine.run(['logs', 'signalled']);
  return code === 0 && stdout.includes('up');
};

// As Docker 28.5 and its own client, but for `start -a`, which that client leaves at once with 0.
test.each<[ClientName, string[], number]>([
  ['docker', ['run', '--name', 'signalled', 'box', 'sh', '-c', trap], 5],
  ['sampan', ['run', '--name', 'signalled', 'box', 'sh', '-c', trap], 5],
  ['docker', ['start', '-a', 'signalled'], 0],
  ['sampan', ['start', '-a', 'signalled'], 5],
])(
  '%s %p passes signals on',
  async (client, words, code) => {
    if (words[0] === 'start') await engine.out(['create', '--name', 'signalled', 'box', 'sh', '-c', trap]);
    const attached = engine.startCommand(words, client);
    await attached.until(/up/);
    attached.child.kill('SIGTERM');
    expect((await attached.end()).code).toBe(code);
    await eventually(
      async () => (await engine.out(['inspect', '-f', '{{.State.ExitCode}}', 'signalled'])) === '5',
    );
  },
  30_000,
);

test('an attached client passes signals on, or keeps them from the container', async () => {
  await engine.out([
    'run',
    '-d',
    '--name',
    'signalled',
    'box',
    'sh',
    '-c',
    `${trap.replace('done', 'echo on; done')}`,
  ]);
  await eventually(isUp);
  const spared = engine.startCommand(['attach', '--sig-proxy=false', 'signalled'], 'sampan');
  await spared.until(/on/);
  spared.child.kill('SIGTERM');
  expect((await spared.end()).code).not.toBe(5);
  expect(await engine.out(['inspect', '-f', '{{.State.Running}}', 'signalled'])).toBe('true');
  for (const client of ['docker', 'sampan'] as const) {
    const attached = engine.startCommand(['attach', 'signalled'], client);
    await attached.until(/on/);
    attached.child.kill('SIGTERM');
    expect((await attached.end()).code).toBe(5);
    await engine.out(['start', 'signalled']);
  }
}, 30_000);

const typing = (keys: string, words: string[]) =>
  run(['script', '-qefc', words.map((word) => `'${word}'`).join(' '), '/dev/null'], {
    env: { ...engine.env, SHELL: '/bin/sh' },
    stdin: keys,
  });

// Recorded from Docker 28.5 with its own client.
test.each<[ClientName, string[], number]>(
  (['docker', 'sampan'] as const).flatMap((name) => [
    [name, ['run', '-it', '--detach-keys', 'ctrl-x,x', '--name', 'left', 'box', 'cat'], 0],
    [name, ['start', '-ai', '--detach-keys', 'ctrl-x,x', 'left'], 0],
    [name, ['attach', '--detach-keys', 'ctrl-x,x', 'left'], 1],
  ]),
)(
  '%s %p is left by its keys',
  async (client, words, code) => {
    if (words[0] !== 'run') await engine.out(['create', '-it', '--name', 'left', 'box', 'cat']);
    if (words[0] === 'attach') await engine.out(['start', 'left']);
    const left = await typing('\u0018x', engine.command(words, client));
    expect(await engine.out(['inspect', '-f', '{{.State.Running}}', 'left'])).toBe('true');
    expect(left.code).toBe(code);
    if (words[0] === 'attach') expect(left.stdout).toContain('read escape sequence');
  },
  30_000,
);
