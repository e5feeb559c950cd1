import { expect, test } from 'bun:test';
import { inspectValue } from './inspect-value.ts';
import { Template } from './template/template.ts';

const container = {
  Id: 'a',
  State: { Status: 'exited' },
  Config: { Image: 'x' },
  HostConfig: {
    NetworkMode: 'bridge',
    Memory: 64,
    LogConfig: { Type: 'json-file', Config: {} },
    RestartPolicy: { Name: 'always', MaximumRetryCount: 0 },
  },
};
const show = (source: string, json: object) =>
  new Template(source, { missingKey: 'error' }).execute(inspectValue(json as never));

// As `docker inspect -f` of 28.5 has it for what its JSON leaves out.
test.each<[string, object, string]>([
  ['{{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}', container, 'exited'],
  ['{{.State.Health}}', container, '<nil>'],
  ['{{with .Config.Healthcheck}}{{.Test}}{{end}}', container, ''],
  ['{{range .HostConfig.Mounts}}x{{end}}', container, ''],
  ['{{json .HostConfig.Tmpfs}}', container, 'null'],
  ['{{.ImageManifestDescriptor}}', container, '<nil>'],
  ['{{len .Config.ExposedPorts}}', container, '0'],
  ['{{.Config.StopSignal}}|{{.Variant}}', { RootFS: {}, Config: {} }, '|'],
  ['{{.Status}} {{.UsageData}}', { Mountpoint: '/v' }, 'map[] <nil>'],
  ['{{.Peers}}', { IPAM: {} }, '[]'],
  ['{{.HostConfig.LogConfig}}', container, '{json-file map[]}'],
  ['{{.HostConfig.RestartPolicy.IsAlways}} {{.HostConfig.RestartPolicy.IsNone}}', container, 'true false'],
  ['{{.HostConfig.Resources.Memory}} {{.ContainerJSONBase.Id}}', container, '64 a'],
  ['{{json .State}}', container, '{"Status":"exited"}'],
])('%s', (source, json, text) => {
  expect(show(source, json)).toBe(text);
});

test('a name that no type has is an error still', () => {
  expect(() => show('{{.State.Helth}}', container)).toThrow('map has no entry for key "Helth"');
  expect(() => show('{{.UsageData}}', container)).toThrow('map has no entry for key "UsageData"');
});
