import { run } from '../../sys/spawn.ts';
import { parseBool } from '../../text/parse-bool.ts';
import type { GlobalOptions } from '../context.ts';
import type { Flag } from '../flags/flag.ts';
import type { ParsedFlags } from '../flags/flag-set.ts';
import type { StartConfig } from '../start-config.ts';
import type { Sink } from '../terminal/sink.ts';
import { findPlugin, type Plugin } from './find-plugin.ts';

/** What was run, as hooks are told. */
export interface RanCommand {
  /** `image ls`; with a plugin's words it has its arguments. */
  path: string;
  known: readonly Flag[];
  flags: ParsedFlags;
  /** Empty where it went well. */
  failure: string;
}

const PATIENCE_MS = 5000;
const NEXT_STEPS = 0;
const BOLD = '\x1b[1m';
const PLAIN = '\x1b[0m';

/** Whether plugins are to be asked after commands: DOCKER_CLI_HOOKS, DOCKER_CLI_HINTS, then `features.hooks` of config.json. */
export function hooksEnabled(
  env: Readonly<Record<string, string | undefined>>,
  { features }: Pick<StartConfig, 'features'>,
): boolean {
  const said = env.DOCKER_CLI_HOOKS || env.DOCKER_CLI_HINTS || features?.['hooks'] || '';
  return parseBool(said) ?? false;
}

/** Ask the plugins that have a hook for this command, and show what they advise. A plugin that misbehaves is passed over. */
export async function runHooks(
  ran: RanCommand,
  {
    plugins,
    globals,
    stderr,
  }: { plugins: NonNullable<StartConfig['plugins']>; globals: GlobalOptions; stderr: Sink },
): Promise<void> {
  const steps: string[] = [];
  for (const [name, { hooks = '' }] of Object.entries(plugins)) {
    const hook = hooks.split(',').find((one) => matches(one, ran.path));
    if (hook === undefined) continue;
    const plugin = await findPlugin({ globals }, name);
    const lines = plugin === undefined ? [] : await advice(plugin, hook, ran).catch(() => []);
    if (lines.some((line) => line.trim() !== '')) steps.push(...lines);
  }
  if (steps.length === 0) return;
  const text = steps.map((step) => `    ${step}\n`).join('');
  await stderr.write(`${BOLD}\nWhat's next:${PLAIN}\n${text}`);
}

/** By whole words from the start: `image` is a hook of `image ls`. */
function matches(hook: string, path: string): boolean {
  const words = path.split(' ');
  return hook !== '' && hook.split(' ').every((word, at) => words[at] === word);
}

async function advice(plugin: Plugin, hook: string, ran: RanCommand): Promise<string[]> {
  const given = ran.known.filter(({ name }) => ran.flags.changed(name));
  const request = {
    RootCmd: hook,
    // The values of others may be secrets.
    Flags: Object.fromEntries(
      given.map(({ name, kind }) => [name, kind === 'bool' ? String(ran.flags.bool(name)) : '']),
    ),
    CommandError: ran.failure,
  };
  const { exitCode, stdout } = await run(
    [plugin.path, plugin.name, 'docker-cli-plugin-hooks', JSON.stringify(request)],
    {
      timeoutMs: PATIENCE_MS,
    },
  );
  if (exitCode !== 0) return [];
  const { Type: type, Template: template } = fold(JSON.parse(stdout) as Record<string, unknown>);
  if (type !== NEXT_STEPS || typeof template !== 'string') return [];
  return (filled(template, ran) ?? '').split('\n');
}

/** Go reads field names in any case. */
function fold(answer: Record<string, unknown>): Record<string, unknown> {
  const names: Record<string, string> = { type: 'Type', template: 'Template' };
  return Object.fromEntries(
    Object.entries(answer).map(([name, value]) => [names[name.toLowerCase()] ?? name, value]),
  );
}

/** The three things that a hook's template can say. Undefined: it says another. */
function filled(template: string, { path, known, flags }: RanCommand): string | undefined {
  let isWrong = false;
  const text = template.replaceAll(/\{\{([^}]*)\}\}/g, (_, action: string) => {
    const [, flag] = /^\s*flag \. "([^"]*)"\s*$/.exec(action) ?? [];
    const [, at] = /^\s*arg \. (\d+)\s*$/.exec(action) ?? [];
    if (action.trim() === '.Name') return path.split(' ').at(-1) ?? '';
    if (at !== undefined) return flags.args[Number(at)] ?? '';
    if (flag !== undefined && known.some(({ name }) => name === flag)) return flags.string(flag);
    isWrong = true;
    return '';
  });
  return isWrong ? undefined : text;
}
