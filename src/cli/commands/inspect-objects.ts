import { EngineError } from '../../errors/engine-error.ts';
import { parseJson } from '../../wire/json.ts';
import { describeError, ExitError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import type { Flag } from '../flags/flag.ts';
import { indentJson } from '../output/indent-json.ts';
import { inspectValue } from '../output/inspect-value.ts';
import { Template } from '../output/template/template.ts';
import { TemplateError } from '../output/template/template-error.ts';

export const INSPECT_FORMAT_FLAG: Flag = {
  name: 'format',
  short: 'f',
  kind: 'string',
  usage:
    "Format the output by a template:\n'json':             As JSON\n'TEMPLATE':         By the given Go template.\n" +
    'https://docs.docker.com/go/formatting/ tells more of templates',
};

const MAX_LENGTH = 512 * 1024 * 1024;

/**
 * Print what `get` finds for every name: as one JSON list, or each by the template. What isn't found is told at the end.
 *
 * @returns exit status.
 */
export async function inspectObjects(
  context: CliContext,
  names: readonly string[],
  options: { format: string; get: (name: string) => Promise<string> },
): Promise<number> {
  const print =
    options.format === '' || options.format === 'json' ? undefined : templatePrinter(options.format);
  const found: string[] = [];
  const errors: unknown[] = [];
  for (const name of names) {
    try {
      found.push(await options.get(name));
    } catch (error) {
      errors.push(error);
    }
  }
  if (print === undefined) await context.stdout.write(asJson(found, options.format));
  else await renderTo(context, () => print(found).replace(/\n$/, ''));
  for (const error of errors) await context.stderr.write(`${describeError(error)}\n`);
  return errors.length > 0 ? 1 : 0;
}

/** Write what `render` gives and a line end, which stands alone when it fails. */
export async function renderTo(context: CliContext, render: () => string): Promise<void> {
  let text = '';
  try {
    text = render();
  } finally {
    await context.stdout.write(`${text}\n`);
  }
}

function asJson(found: readonly string[], format: string): string {
  if (format === 'json') return `[${found.map((text) => text.trim()).join(',')}]\n`;
  if (found.length === 0) return '[]\n';
  return `${indentJson(`[${found.join(',')}]`)}\n`;
}

function templatePrinter(source: string): (found: readonly string[]) => string {
  let template: Template;
  try {
    template = new Template(source, { missingKey: 'error' });
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new ExitError(64, `template parsing error: ${error.message}`);
  }
  return (found) => (found.length === 0 ? '\n' : found.map((text) => `${render(template, text)}\n`).join(''));
}

function render(template: Template, text: string): string {
  try {
    return template.execute(inspectValue(parseJson(text, { maxLength: MAX_LENGTH })));
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new EngineError('invalid', `template parsing error: ${error.message}`);
  }
}
