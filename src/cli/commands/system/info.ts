import { type Json, stringifyJson } from '../../../wire/json.ts';
import { describeError, ExitError } from '../../cli-error.ts';
import type { Command } from '../../command.ts';
import { contextName } from '../../host.ts';
import { infoText } from '../../output/info-text.ts';
import { inspectValue } from '../../output/inspect-value.ts';
import { Template } from '../../output/template/template.ts';
import { TemplateError } from '../../output/template/template-error.ts';
import { type PluginMetadata, usablePlugins } from '../../plugins/plugin-metadata.ts';
import { CLIENT_VERSION } from '../../version.ts';
import { INSPECT_FORMAT_FLAG, renderTo } from '../inspect-objects.ts';

type Fields = Record<string, Json>;

export const command: Command = {
  usage: '[OPTIONS]',
  flags: [INSPECT_FORMAT_FLAG],
  args: { min: 0, max: 0 },
  async run({ context, client, flags }) {
    const format = flags.string('format');
    const plugins = await usablePlugins(context);
    const own = {
      Debug: context.globals.debug,
      Version: CLIENT_VERSION,
      Context: contextName(context.hostChoice),
      Plugins: plugins.map(({ name, path, vendor, version, short, schema }) => ({
        SchemaVersion: schema,
        Vendor: vendor,
        Version: version,
        ShortDescription: short,
        Name: name,
        Path: path,
      })),
      Warnings: null,
    };
    if (format === '')
      await context.stdout.write(
        `Client:\n Version:    ${CLIENT_VERSION}\n Context:    ${own.Context}\n Debug Mode: ${own.Debug}\n${pluginText(plugins)}\nServer:\n`,
      );
    let info: Fields;
    if (asksClientAlone(format)) {
      await renderTo(context, () => render(format, { ClientInfo: own }));
      return 0;
    }
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

/** Nothing but `.ClientInfo`: then no daemon need be there. */
function asksClientAlone(format: string): boolean {
  const fields = [...format.matchAll(/(?<![\w.)\]])\.(\w*)/g)].map(([, name]) => name);
  return fields.length > 0 && fields.every((name) => name === 'ClientInfo');
}

function pluginText(plugins: readonly PluginMetadata[]): string {
  if (plugins.length === 0) return '';
  const lines = plugins.map(
    ({ name, short, vendor, version, path }) =>
      `  ${name}: ${short} (${vendor})\n    Version:  ${version}\n    Path:     ${path}\n`,
  );
  return ` Plugins:\n${lines.join('')}`;
}

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
