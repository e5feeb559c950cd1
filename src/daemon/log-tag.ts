import { Template } from '../cli/output/template/template.ts';
import { Struct } from '../cli/output/template/value.ts';
import { commandOf } from '../containers/command.ts';
import type { LogTagRecord } from '../containers/logs/container-logs.ts';

const SHORT_ID = 12;

/** A log's tag by its template, with what Docker's templates know of the container. @throws TemplateError in Go's words. */
export function renderLogTag(template: string, record: LogTagRecord): string {
  const { id, name, config, image } = record;
  const [entrypoint = '', ...args] = commandOf(config);
  const info = new Struct('*logger.Info', {
    ID: () => id.slice(0, SHORT_ID),
    FullID: () => id,
    Name: () => name,
    ImageID: () => image.id.replace(/^[^:]*:/, '').slice(0, SHORT_ID),
    ImageFullID: () => image.id,
    ImageName: () => config.image,
    Command: () => [entrypoint, ...args].join(' '),
    DaemonName: () => 'docker',
    ContainerID: () => id,
    ContainerName: () => `/${name}`,
    ContainerEntrypoint: () => entrypoint,
    ContainerArgs: () => args,
    ContainerImageID: () => image.id,
    ContainerImageName: () => config.image,
    ContainerEnv: () => config.env,
    ContainerLabels: () => config.labels,
  });
  return new Template(template, { name: 'log-tag' }).execute(info);
}
