import type { Json } from '../../wire/json.ts';
import { binarySize } from './human-size.ts';

type Fields = Record<string, Json>;

/** `/info` as people read it, in the order and words of `docker info`, without the client's part. */
export function infoText(info: Fields): string {
  const lines: string[] = [];
  const add = (label: string, value: Json | undefined, indent = 1) => {
    if (value !== undefined && value !== null && value !== '')
      lines.push(`${' '.repeat(indent)}${label}: ${plain(value)}`);
  };
  add('Containers', info.Containers);
  add('Running', info.ContainersRunning, 2);
  add('Paused', info.ContainersPaused, 2);
  add('Stopped', info.ContainersStopped, 2);
  add('Images', info.Images);
  add('Server Version', info.ServerVersion);
  add('Storage Driver', info.Driver);
  for (const [label, value] of pairs(info.DriverStatus)) add(label, value, 2);
  add('Logging Driver', info.LoggingDriver);
  add('Cgroup Driver', info.CgroupDriver);
  add('Cgroup Version', info.CgroupVersion);
  addPlugins(lines, info);
  addCdi(lines, info);
  add('Swarm', fields(info.Swarm).LocalNodeState);
  addRuntimes(lines, info);
  addSecurity(lines, info);
  add('Kernel Version', info.KernelVersion);
  add('Operating System', info.OperatingSystem);
  add('OSType', info.OSType);
  add('Architecture', info.Architecture);
  add('CPUs', info.NCPU);
  add('Total Memory', binarySize(Number(info.MemTotal ?? 0)));
  add('Name', info.Name);
  add('ID', info.ID);
  add('Docker Root Dir', info.DockerRootDir);
  add('Debug Mode', info.Debug ?? false);
  add('HTTP Proxy', info.HttpProxy);
  add('HTTPS Proxy', info.HttpsProxy);
  add('No Proxy', info.NoProxy);
  addLabels(lines, info);
  add('Experimental', info.ExperimentalBuild ?? false);
  addRegistries(lines, info);
  add('Live Restore Enabled', info.LiveRestoreEnabled ?? false);
  return `${lines.join('\n')}\n\n`;
}

function addPlugins(lines: string[], info: Fields): void {
  const plugins = fields(info.Plugins);
  lines.push(' Plugins:');
  for (const name of ['Volume', 'Network', 'Authorization', 'Log']) {
    const list = strings(plugins[name]);
    if (list.length > 0) lines.push(`  ${name}: ${list.join(' ')}`);
  }
}

function addCdi(lines: string[], info: Fields): void {
  const directories = strings(info.CDISpecDirs);
  if (directories.length > 0) lines.push(' CDI spec directories:', ...directories.map((path) => `  ${path}`));
}

function addRuntimes(lines: string[], info: Fields): void {
  const runtimes = Object.keys(fields(info.Runtimes)).sort();
  if (runtimes.length === 0) return;
  lines.push(` Runtimes: ${runtimes.join(' ')}`, ` Default Runtime: ${plain(info.DefaultRuntime ?? '')}`);
  lines.push(` Init Binary: ${plain(info.InitBinary ?? '')}`);
  for (const [label, key] of [
    ['containerd', 'ContainerdCommit'],
    ['runc', 'RuncCommit'],
    ['init', 'InitCommit'],
  ] as const)
    lines.push(` ${label} version: ${plain(fields(info[key]).ID ?? '')}`);
}

function addSecurity(lines: string[], info: Fields): void {
  const options = strings(info.SecurityOptions);
  if (options.length === 0) return;
  lines.push(' Security Options:');
  for (const option of options) {
    const [name, ...rest] = option.split(',').map((part) => part.slice(part.indexOf('=') + 1) && part);
    lines.push(`  ${(name ?? '').replace(/^name=/, '')}`);
    for (const part of rest) {
      const at = part.indexOf('=');
      const key = part.slice(0, at);
      lines.push(`   ${key === 'profile' ? 'Profile' : key}: ${part.slice(at + 1)}`);
    }
  }
}

function addLabels(lines: string[], info: Fields): void {
  const labels = strings(info.Labels);
  if (labels.length > 0) lines.push(' Labels:', ...labels.map((label) => `  ${label}`));
}

function addRegistries(lines: string[], info: Fields): void {
  const config = fields(info.RegistryConfig);
  const insecure = Object.entries(fields(config.IndexConfigs))
    .filter(([, index]) => fields(index).Secure === false)
    .map(([name]) => name);
  const blocks = strings(config.InsecureRegistryCIDRs);
  if (insecure.length + blocks.length > 0)
    lines.push(' Insecure Registries:', ...[...insecure, ...blocks].map((name) => `  ${name}`));
  const mirrors = strings(config.Mirrors);
  if (mirrors.length > 0) lines.push(' Registry Mirrors:', ...mirrors.map((url) => `  ${url}`));
  for (const [name, index] of Object.entries(fields(config.IndexConfigs))) {
    const own = name === 'docker.io' ? [] : strings(fields(index).Mirrors);
    if (own.length > 0) lines.push(` Registry Mirrors of ${name}:`, ...own.map((url) => `  ${url}`));
  }
}

function fields(value: Json | undefined): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}

function strings(value: Json | undefined): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}

function pairs(value: Json | undefined): [string, Json][] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((pair): [string, Json][] =>
    Array.isArray(pair) && typeof pair[0] === 'string' ? [[pair[0], pair[1] ?? '']] : [],
  );
}

function plain(value: Json): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
