import { run } from './command.ts';

/** One way to be attached to a container, by the command line of a client that stands for `docker`. */
export interface AttachForm {
  name: string;
  /** Before it: what makes the container. */
  before?: string[];
  command: string[];
  /** The client's own streams are a terminal; otherwise pipes. */
  terminal: boolean;
  input: string;
}

/** What a client did. */
export interface AttachOutcome {
  stdout: string;
  stderr: string;
  code: number;
  /** The container afterwards: `exited 3`. */
  state: string;
}

export interface AttachClient {
  /** Its path, and what it calls itself. */
  command: string;
  env: Record<string, string>;
  image: string;
}

/** It says something on both streams, takes a line, and ends with 3. Where no line can come, it waits in vain. */
const PROGRAM = 'echo out; echo err >&2; read -t 5 x; echo "got:$x"; exit 3';
/** The same, when a client has had its time to attach. */
const LATER = `sleep 2; ${PROGRAM}`;

const SHORT = ['-i', '-t'] as const;
const STREAMS = ['stdin', 'stdout', 'stderr'] as const;

/** All that can be said by `-i -t -a` to run, start and attach, from pipes and from a terminal. */
export function attachForms(image: string): AttachForm[] {
  const forms: AttachForm[] = [];
  const add = (command: string[], before?: string[]): void => {
    for (const terminal of [false, true]) {
      const words = command.slice(0, command.indexOf('NAME')).join(' ');
      const made = before === undefined ? '' : ` of ${before.slice(0, before.indexOf('--name')).join(' ')}`;
      forms.push({
        name: `${words}${made}, ${terminal ? 'terminal' : 'pipes'}`,
        ...(before === undefined ? {} : { before }),
        command,
        terminal,
        input: 'hi\n',
      });
    }
  };
  for (const short of subsets(SHORT))
    for (const streams of subsets(STREAMS)) {
      const attached = streams.flatMap((stream) => ['-a', stream]);
      add(['run', ...short, ...attached, '--name', 'NAME', image, 'sh', '-c', PROGRAM]);
    }
  for (const short of subsets(SHORT))
    for (const flags of subsets(['-a', '-i']))
      if (flags.length > 0)
        add(['start', ...flags, 'NAME'], ['create', ...short, '--name', 'NAME', image, 'sh', '-c', PROGRAM]);
  for (const short of subsets(SHORT))
    for (const flags of subsets(['--no-stdin']))
      add(['attach', ...flags, 'NAME'], ['run', '-d', ...short, '--name', 'NAME', image, 'sh', '-c', LATER]);
  return forms;
}

function subsets<T>(all: readonly T[]): T[][] {
  return all.reduce<T[][]>((sets, one) => [...sets, ...sets.map((set) => [...set, one])], [[]]);
}

let count = 0;

/** Do it, with a container of its own, which is gone afterwards. What differs from run to run is made plain: `<id>`, `<name>`. */
export async function observe(form: AttachForm, client: AttachClient): Promise<AttachOutcome> {
  const container = `form${process.pid}x${++count}`;
  const filled = (words: readonly string[]) => words.map((word) => (word === 'NAME' ? container : word));
  const docker = (words: readonly string[], stdin?: string) =>
    run([client.command, ...filled(words)], { env: client.env, ...(stdin === undefined ? {} : { stdin }) });
  try {
    if (form.before !== undefined) await docker(form.before);
    const said = form.terminal
      ? await onTerminal(form, client, filled)
      : await docker(form.command, form.input);
    const id = (await docker(['inspect', '-f', '{{.Id}}', container])).stdout.trim();
    await docker(['wait', container]);
    const { stdout } = await docker(['inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', container]);
    const plain = (text: string) => {
      const named = text.replaceAll(container, '<name>');
      return (id === '' ? named : named.replaceAll(id, '<id>'))
        .replaceAll(/^sampan: /gm, 'docker: ')
        .replaceAll("'sampan ", "'docker ");
    };
    const shown = form.terminal ? linesOf(said.stdout) : said.stdout;
    return { stdout: plain(shown), stderr: plain(said.stderr), code: said.code, state: stdout.trim() };
  } finally {
    await docker(['rm', '-f', container]);
  }
}

/** Two streams meet on a terminal in any order, and what is typed is echoed when there was time for it. */
function linesOf(text: string): string {
  const lines = text.replaceAll('\r', '').split('\n');
  return lines
    .filter((line) => line !== '' && line !== 'hi')
    .sort()
    .join('\n');
}

async function onTerminal(
  form: AttachForm,
  client: AttachClient,
  filled: (words: readonly string[]) => string[],
) {
  const command = [client.command, ...filled(form.command)].map(
    (word) => `'${word.replaceAll("'", `'\\''`)}'`,
  );
  return await run(['script', '-qefc', command.join(' '), '/dev/null'], {
    env: { ...client.env, TERM: 'xterm', SHELL: '/bin/sh' },
    stdin: form.input,
  });
}

/** So many at a time. */
export async function observeAll(
  forms: readonly AttachForm[],
  client: AttachClient,
  atOnce: number,
): Promise<Record<string, AttachOutcome>> {
  const outcomes: Record<string, AttachOutcome> = {};
  const left = forms.values();
  const work = async () => {
    for (const form of left) outcomes[form.name] = await observe(form, client);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return outcomes;
}
