import { EngineError } from '../../../errors/engine-error.ts';
import type { BuildErrorJson, BuildMessage } from '../../../wire/build.ts';
import type { CliContext } from '../../context.ts';
import type { ParsedFlags } from '../../flags/flag-set.ts';
import type { PreparedContext } from './build-parts.ts';
import { errorText, warningsText } from './error-text.ts';
import { LiveProgress } from './live-progress.ts';
import { type BuildProgress, PlainProgress } from './plain-progress.ts';

export function progressMode(flags: ParsedFlags, context: CliContext): string {
  if (flags.bool('quiet')) return 'quiet';
  const asked = flags.string('progress');
  const mode = asked === 'auto' || asked === '' ? (context.env['BUILDKIT_PROGRESS'] ?? 'auto') : asked;
  if (!['auto', 'plain', 'tty', 'quiet', 'rawjson', ''].includes(mode))
    throw new EngineError('invalid', `invalid progress mode ${mode}`);
  return mode;
}

export function progressOf(mode: string, context: CliContext, flags: ParsedFlags): BuildProgress | undefined {
  const options = { explain: flags.bool('explain') };
  if (mode === 'quiet' || mode === 'rawjson') return undefined;
  const isLive = mode === 'tty' || (mode !== 'plain' && context.stderr.isTerminal);
  return isLive ? new LiveProgress(context.stderr, options) : new PlainProgress(context.stderr, options);
}

export async function tellFailure(
  error: BuildErrorJson,
  {
    context,
    progress,
    prepared,
  }: { context: CliContext; progress: BuildProgress | undefined; prepared: PreparedContext },
): Promise<void> {
  const name = 'name' in prepared.dockerfile ? prepared.dockerfile.name : prepared.dockerfile.path;
  if (progress === undefined) return;
  const source = { name, text: prepared.file && new TextDecoder().decode(prepared.file) };
  const text = `${warningsText(progress.view)}${errorText(error, progress.view, source)}`;
  await context.stderr.write(text);
}

/** `rawjson` has BuildKit's lines alone. */
export async function showRaw(context: CliContext, message: BuildMessage): Promise<void> {
  if (message.result === undefined && message.error === undefined)
    await context.stderr.write(`${JSON.stringify(message)}\n`);
}
