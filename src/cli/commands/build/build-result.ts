import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { BuildMessage } from '../../../wire/build.ts';
import type { Invocation } from '../../context.ts';
import { callOf, isDescription } from './build-request.ts';
import { warningsText } from './error-text.ts';
import type { BuildProgress } from './plain-progress.ts';

/** Write what the flags ask to know of an image that was built. */
export async function finish(
  { context, flags }: Invocation,
  { imageId, metadata }: NonNullable<BuildMessage['result']>,
  { isQuiet, progress, isCheck }: { isQuiet: boolean; progress: BuildProgress | undefined; isCheck: boolean },
): Promise<void> {
  const { call, format } = callOf(flags);
  if (isDescription(call)) {
    const text = format === 'json' ? `${metadata['result.json'] ?? ''}\n` : (metadata['result.txt'] ?? '');
    return await context.stdout.write(text);
  }
  const write = async (flag: string, text: string): Promise<void> => {
    const path = flags.string(flag);
    if (path !== '') await writeFile(resolve(context.cwd, path), text);
  };
  await write('iidfile', imageId ?? '');
  await write('metadata-file', `${JSON.stringify(decoded(metadata), null, 2)}\n`);
  if (progress !== undefined) await context.stderr.write(warningsText(progress.view));
  if (isCheck && progress?.view.warnings.length === 0)
    await context.stdout.write('Check complete, no warnings found.\n');
  if (isQuiet && imageId !== undefined) await context.stdout.write(`${imageId}\n`);
}

/** What is JSON in base64 is shown as what it is, as buildx does. */
function decoded(metadata: Record<string, string>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(metadata).map(([name, value]) => [
      name,
      name === 'containerimage.descriptor'
        ? JSON.parse(Buffer.from(value, 'base64').toString('utf8'))
        : value,
    ]),
  );
}
