import type { Json } from '../../../wire/json.ts';
import { stringifyJson } from '../../../wire/json.ts';
import { API_VERSION } from '../../../wire/versions.ts';
import { describeError, ExitError } from '../../cli-error.ts';
import type { Command } from '../../command.ts';
import { contextName } from '../../host.ts';
import { inspectValue } from '../../output/inspect-value.ts';
import { Template } from '../../output/template/template.ts';
import { TemplateError } from '../../output/template/template-error.ts';
import { format as plainText } from '../../output/template/value.ts';
import { CLIENT_VERSION } from '../../version.ts';
import { INSPECT_FORMAT_FLAG, renderTo } from '../inspect-objects.ts';

type Fields = Record<string, Json>;

export const command: Command = {
  usage: '[OPTIONS]',
  flags: [INSPECT_FORMAT_FLAG],
  args: { min: 0, max: 0 },
  async run({ context, client, flags }) {
    const format = flags.string('format');
    const template = format === '' || format === 'json' ? undefined : parse(format);
    let server: Fields | undefined;
    let failure: unknown;
    try {
      server = await client.system.version();
    } catch (error) {
      failure = error;
    }
    const client_ = clientFields({
      apiVersion: failure === undefined ? await client.apiVersion() : API_VERSION,
      context: contextName(context.hostChoice),
    });
    const both: Fields = { Client: client_, Server: server ?? null };
    if (format === 'json') await context.stdout.write(`${stringifyJson(both)}\n`);
    else if (template !== undefined) await renderTo(context, () => render(template, both));
    else await context.stdout.write(plain(client_, server));
    if (failure === undefined) return 0;
    throw new ExitError(1, describeError(failure));
  },
};

function clientFields({ apiVersion, context }: { apiVersion: string; context: string }): Fields {
  const arch = process.arch === 'x64' ? 'amd64' : process.arch;
  return {
    Version: CLIENT_VERSION,
    ApiVersion: apiVersion,
    DefaultAPIVersion: API_VERSION,
    Bun: Bun.version,
    Os: process.platform,
    Arch: arch,
    Context: context,
  };
}

function parse(source: string): Template {
  try {
    return new Template(source, { name: 'version', missingKey: 'error' });
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new ExitError(64, `template parsing error: ${error.message}`);
  }
}

function render(template: Template, value: Fields): string {
  try {
    return template.execute(inspectValue(value, '', 'system.versionInfo'));
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new ExitError(1, error.message);
  }
}

const LABEL_WIDTH = 19;

function plain(client: Fields, server: Fields | undefined): string {
  const line = (label: string, value: unknown, indent = 1) =>
    `${`${' '.repeat(indent)}${label}:`.padEnd(LABEL_WIDTH + (indent > 1 ? 1 : 0))}${indent > 1 ? ' ' : ' '}${String(value)}\n`;
  let text = 'Client: Sampan\n';
  text += line('Version', client.Version);
  text += line('API version', client.ApiVersion);
  text += line('Bun version', client.Bun);
  text += line('OS/Arch', `${plainText(client.Os)}/${plainText(client.Arch)}`);
  text += line('Context', client.Context);
  if (server === undefined) return text;
  const platform = (server.Platform as Fields | null | undefined)?.Name;
  text += `\nServer:${typeof platform === 'string' && platform !== '' ? ` ${platform}` : ''}\n`;
  const components =
    Array.isArray(server.Components) && server.Components.length > 0 ? server.Components : [engineOf(server)];
  for (const each of components as Fields[]) {
    text += ` ${plainText(each.Name)}:\n`;
    for (const [label, value] of componentLines(each)) text += line(label, value, 2);
  }
  return text;
}

/** An old daemon tells of itself only. */
function engineOf(server: Fields): Fields {
  return { Name: 'Engine', Version: server.Version ?? '', Details: server };
}

function componentLines(component: Fields): [string, Json][] {
  const details = (component.Details ?? {}) as Fields;
  const lines: [string, Json][] = [['Version', component.Version ?? '']];
  if (component.Name !== 'Engine')
    return [...lines, ...Object.entries(details).filter(([, value]) => value !== undefined)];
  const add = (label: string, value: Json | undefined) => {
    if (value !== undefined && value !== null && value !== '') lines.push([label, value]);
  };
  const api = details.ApiVersion;
  const minimum = details.MinAPIVersion;
  add(
    'API version',
    minimum === undefined ? api : `${plainText(api)} (minimum version ${plainText(minimum)})`,
  );
  add('Go version', details.GoVersion);
  add('Git commit', details.GitCommit);
  add('Built', buildTime(details.BuildTime));
  add('OS/Arch', `${plainText(details.Os)}/${plainText(details.Arch)}`);
  add('Experimental', details.Experimental ?? 'false');
  return lines;
}

/** `Tue Sep 15 11:02:57 2026`; what is no time stays as it is. */
function buildTime(value: Json | undefined): Json | undefined {
  if (typeof value !== 'string' || Number.isNaN(Date.parse(value))) return value;
  const [weekday = '', day = '', month = '', year = '', time = ''] = new Date(value)
    .toUTCString()
    .split(/,? /);
  return `${weekday} ${month} ${day.replace(/^0/, ' ')} ${time} ${year}`;
}
