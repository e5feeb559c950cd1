import type { ContextMetadata } from '../../../client/node/docker-context.ts';
import { messageOf } from '../../../errors/engine-error.ts';
import type { Command } from '../../command.ts';
import type { CliContext } from '../../context.ts';
import { ContextStore } from '../../contexts/context-store.ts';
import { contextName, defaultHost } from '../../host.ts';
import { ellipsis } from '../../output/labels.ts';
import { formatList, LIST_FORMAT_FLAG } from '../../output/list-format.ts';
import { Struct } from '../../output/template/value.ts';
import { DEFAULT_CONTEXT } from '../../start-config.ts';

interface Row {
  name: string;
  description: string;
  host: string;
  error: string;
  current: boolean;
}

const HEADERS = {
  Name: 'NAME',
  Description: 'DESCRIPTION',
  DockerEndpoint: 'DOCKER ENDPOINT',
  Error: 'ERROR',
  // Nothing: what asks for it marks rows.
  Current: '',
};
const TABLE = '{{.Name}}{{if .Current}} *{{end}}\t{{.Description}}\t{{.DockerEndpoint}}\t{{.Error}}';
const ERROR_WIDTH = 45;

export const command: Command = {
  usage: '[OPTIONS]',
  flags: [LIST_FORMAT_FLAG, { name: 'quiet', short: 'q', kind: 'bool', usage: 'Show names only' }],
  args: { min: 0, max: 0 },
  local: true,
  async run({ context, flags }) {
    const rows = await rowsOf(context);
    const isJson = flags.string('format') === 'json';
    const text = formatList(
      rows.map((row) => structOf(row, isJson)),
      {
        format: flags.bool('quiet') ? '{{.Name}}' : flags.string('format'),
        table: TABLE,
        headers: HEADERS,
      },
    );
    await context.stdout.write(text);
    if (context.env.DOCKER_HOST)
      await context.stderr.write(
        'Warning: DOCKER_HOST environment variable overrides the active context. To use a context, either set the global --context flag, or unset DOCKER_HOST environment variable.\n',
      );
    return 0;
  },
};

async function rowsOf(context: CliContext): Promise<Row[]> {
  const { hostChoice } = context;
  const store = new ContextStore(context.globals.configDirectory);
  const current = contextName(hostChoice);
  const rows = (await store.list()).map((metadata) => rowOf(metadata, current));
  rows.push({
    name: DEFAULT_CONTEXT,
    description: 'Current DOCKER_HOST based configuration',
    host: defaultHost(hostChoice),
    error: '',
    current: current === DEFAULT_CONTEXT,
  });
  if (!rows.some(({ name }) => name === current)) rows.push(await missing(store, current));
  return rows.toSorted((one, other) => (one.name < other.name ? -1 : 1));
}

function rowOf({ Name: name, Metadata, Endpoints }: ContextMetadata, current: string): Row {
  const description = Metadata['Description'];
  return {
    name,
    description: typeof description === 'string' ? description : '',
    host: Endpoints['docker']?.Host ?? '',
    error: '',
    current: name === current,
  };
}

async function missing(store: ContextStore, name: string): Promise<Row> {
  const error = await store.get(name).then(() => '', messageOf);
  return { name, description: '', host: '', error, current: true };
}

function structOf({ name, description, host, error, current }: Row, isJson: boolean): Struct {
  return new Struct('*formatter.clientContextContext', {
    Current: () => current,
    Description: () => description,
    DockerEndpoint: () => host,
    Error: () => (isJson ? error : ellipsis(error, ERROR_WIDTH)),
    Name: () => name,
  });
}
