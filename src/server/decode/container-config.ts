import type { ContainerConfig } from '../../containers/container.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { ContainerConfig as WireConfig } from '../../wire/container-config.ts';
import type { Json } from '../../wire/json.ts';
import { checkEnvironment } from './check-environment.ts';
import { applyRules, type FieldRule, honour, ignore } from './field-rule.ts';
import { boolean, Fields, int, keys, string, stringMap, stringOrList, strings } from './go-json.ts';
import { decodeHealthcheck } from './healthcheck.ts';

/** Every field of Docker's `Config`. */
export const CONFIG_RULES = {
  Hostname: honour(string, (config, value) => {
    config.hostname = value;
  }),
  Domainname: honour(string, (config, value) => {
    config.domainname = value;
  }),
  User: honour(string, (config, value) => {
    config.user = value;
  }),
  AttachStdin: honour(boolean, (config, value) => {
    config.attachStdin = value;
  }),
  AttachStdout: honour(boolean, (config, value) => {
    config.attachStdout = value;
  }),
  AttachStderr: honour(boolean, (config, value) => {
    config.attachStderr = value;
  }),
  ExposedPorts: honour(keys, (config, value) => {
    config.exposedPorts = value.map(portWithProtocol);
  }),
  Tty: honour(boolean, (config, value) => {
    config.tty = value;
  }),
  OpenStdin: honour(boolean, (config, value) => {
    config.openStdin = value;
  }),
  StdinOnce: honour(boolean, (config, value) => {
    config.stdinOnce = value;
  }),
  Env: honour(strings, (config, value) => {
    checkEnvironment(value);
    config.env = value;
  }),
  Cmd: honour(stringOrList, (config, value) => {
    config.cmd = value;
  }),
  Healthcheck: honour(decodeHealthcheck, (config, value) => {
    config.healthcheck = value;
  }),
  ArgsEscaped: ignore(),
  Image: honour(string, (config, value) => {
    config.image = value;
  }),
  Volumes: honour(keys, (config, value) => {
    config.volumes = value;
  }),
  WorkingDir: honour(string, (config, value) => {
    config.workingDir = value;
  }),
  Entrypoint: honour(stringOrList, (config, value) => {
    config.entrypoint = value;
  }),
  NetworkDisabled: honour(boolean, (config, value) => {
    config.networkDisabled = value;
  }),
  // With the network that the mode names.
  MacAddress: ignore(),
  OnBuild: honour(strings, (config, value) => {
    config.onBuild = value;
  }),
  Labels: honour(stringMap, (config, value) => {
    config.labels = value;
  }),
  StopSignal: honour(string, (config, value) => {
    config.stopSignal = value === '' ? undefined : value;
  }),
  StopTimeout: honour(int, (config, value) => {
    config.stopTimeoutSeconds = value;
  }),
  Shell: honour(strings, (config, value) => {
    config.shell = value;
  }),
} satisfies Record<keyof WireConfig, FieldRule<ContainerConfig>>;

/** A `Config` alone, as `POST /commit` has it. @throws EngineError "invalid" on wrong types. */
export function decodeConfig(body: Json): ContainerConfig {
  const config = emptyConfig();
  applyRules(CONFIG_RULES, new Fields(body, '', 'container.Config'), { target: config, path: 'Config.' });
  return config;
}

/** What a `Config` is of which nothing was said. */
export function emptyConfig(): ContainerConfig {
  return {
    hostname: '',
    domainname: '',
    user: '',
    attachStdin: false,
    attachStdout: false,
    attachStderr: false,
    tty: false,
    openStdin: false,
    stdinOnce: false,
    env: [],
    cmd: undefined,
    entrypoint: undefined,
    image: '',
    labels: {},
    workingDir: '',
    exposedPorts: [],
    volumes: [],
    stopSignal: undefined,
    stopTimeoutSeconds: undefined,
    healthcheck: undefined,
    shell: undefined,
    onBuild: [],
    networkDisabled: false,
  };
}

function portWithProtocol(port: string): string {
  const match = /^(\d{1,5}(?:-\d{1,5})?)(?:\/(tcp|udp|sctp))?$/i.exec(port);
  if (match === null) throw new EngineError('invalid', `invalid port specification: ${JSON.stringify(port)}`);
  return `${match[1]}/${(match[2] ?? 'tcp').toLowerCase()}`;
}
