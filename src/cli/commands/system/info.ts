import { type Json, stringifyJson } from '../../../wire/json.ts';
import { describeError, ExitError } from '../../cli-error.ts';
import type { Command } from '../../command.ts';
import { infoText } from '../../output/info-text.ts';
import { inspectValue } from '../../output/inspect-value.ts';
import { Template } from '../../output/template/template.ts';
import { TemplateError } from '../../output/template/template-error.ts';
import { CLIENT_VERSION } from '../../version.ts';
import { INSPECT_FORMAT_FLAG, renderTo } from '../inspect-objects.ts';

type Fields = Record<string, Json>;

export const command: Command = {
  usage: '[OPTIONS]',
  flags: [INSPECT_FORMAT_FLAG],
  args: { min: 0, max: 0 },
  async run({ context, client, flags }) {
    const format = flags.string('format');
    const own = {
      Debug: context.globals.debug,
      Version: CLIENT_VERSION,
      Context: 'default',
      Plugins: [],
      Warnings: null,
    };
    if (format === '')
      await context.stdout.write(
        `Client:\n Version:    ${CLIENT_VERSION}\n Context:    default\n Debug Mode: ${own.Debug}\n\nServer:\n`,
      );
    let info: Fields;
    try {
      info = await client.system.info();
    } catch (error) {
      throw new ExitError(1, describeError(error));
    }
    if (format === '') {
      await context.stdout.write(infoText(info));
      for (const warning of (info.Warnings as string[] | null | undefined) ?? [])
        await context.stderr.write(`${warning}\n`);
    } else if (format === 'json')
      await context.stdout.write(`${stringifyJson({ ...info, ClientInfo: own })}\n`);
    else await renderTo(context, () => render(format, { ...info, ClientInfo: own }));
    return 0;
  },
};

function render(source: string, value: Fields): string {
  try {
    return new Template(source, { missingKey: 'error' }).execute(
      inspectValue(value, '', 'system.dockerInfo'),
    );
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    if (error.phase === 'parse') throw new ExitError(64, `template parsing error: ${error.message}`);
    throw new ExitError(1, error.message);
  }
}
