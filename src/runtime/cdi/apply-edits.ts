import { statSync } from 'node:fs';
import { EngineError } from '../../errors/engine-error.ts';
import type { RuntimeSpec, SpecMount } from '../runtime-spec.ts';
import { type DeviceRule, deviceNumber, type SpecDevice } from '../spec/devices.ts';
import { checkProcMount } from '../spec/proc-mounts.ts';
import type { CdiDeviceNode, ContainerEdits } from './cdi-spec.ts';

/**
 * The spec with a device's changes. What the device says replaces what stands there: variables by name, nodes by path, mounts by place.
 *
 * @throws EngineError "invalid" for a node that is not on the host.
 */
export function applyEdits(spec: RuntimeSpec, edits: ContainerEdits): RuntimeSpec {
  const nodes = edits.deviceNodes.map((node) => deviceOf(node, spec));
  const mounts = edits.mounts.map(mountOf);
  for (const mount of mounts) checkProcMount(spec.root.path, mount);
  const paths = new Set(nodes.map(({ device }) => device.path));
  const places = new Set(mounts.map(({ destination }) => destination));
  const { process, linux } = spec;
  const rules = (linux.resources?.['devices'] ?? []) as DeviceRule[];
  const gids = [...new Set([...(process.user.additionalGids ?? []), ...edits.additionalGids])];
  return {
    ...spec,
    process: {
      ...process,
      env: mergeEnvironment(process.env, edits.env),
      user: edits.additionalGids.length === 0 ? process.user : { ...process.user, additionalGids: gids },
    },
    mounts: [...spec.mounts.filter(({ destination }) => !places.has(destination)), ...mounts],
    linux: {
      ...linux,
      devices: [
        ...(linux.devices ?? []).filter(({ path }) => !paths.has(path)),
        ...nodes.map(({ device }) => device),
      ],
      resources: { ...linux.resources, devices: [...rules, ...nodes.map(({ rule }) => rule)] },
    },
    ...(edits.hooks.length === 0 ? {} : { hooks: withHooks(spec.hooks, edits.hooks) }),
  };
}

function mergeEnvironment(present: readonly string[], added: readonly string[]): string[] {
  const nameOf = (entry: string) => entry.split('=', 1)[0];
  const names = new Set(added.map(nameOf));
  return [...present.filter((entry) => !names.has(nameOf(entry))), ...added];
}

function deviceOf(node: CdiDeviceNode, spec: RuntimeSpec): { device: SpecDevice; rule: DeviceRule } {
  const stat = statSync(node.hostPath, { throwIfNoEntry: false });
  const isKnown = node.type !== '' && node.major !== undefined && node.minor !== undefined;
  if (!isKnown && !(stat?.isCharacterDevice() || stat?.isBlockDevice()))
    throw new EngineError(
      'invalid',
      `CDI device injection failed: failed to inject devices: failed to stat CDI host device ${JSON.stringify(node.hostPath)}: no such file or directory`,
    );
  const found = deviceNumber(stat?.rdev ?? 0);
  const type = node.type === '' ? (stat?.isBlockDevice() ? 'b' : 'c') : node.type;
  const { major = found.major, minor = found.minor, path } = node;
  const { uid, gid } = spec.process.user;
  const device = {
    path,
    type,
    major,
    minor,
    fileMode: node.fileMode ?? (stat === undefined ? 0o666 : stat.mode & 0o777),
    uid: node.uid ?? uid,
    gid: node.gid ?? gid,
  };
  return { device, rule: { allow: true, type, major, minor, access: node.permissions } };
}

function mountOf(mount: ContainerEdits['mounts'][number]): SpecMount {
  const { hostPath, containerPath, type, options } = mount;
  const isBind = options.some((option) => option === 'bind' || option === 'rbind');
  return {
    destination: containerPath,
    type: type === '' || isBind ? 'bind' : type,
    source: hostPath,
    options: type === '' && !isBind ? ['rbind', ...options] : options,
  };
}

function withHooks(
  present: RuntimeSpec['hooks'],
  added: ContainerEdits['hooks'],
): NonNullable<RuntimeSpec['hooks']> {
  const hooks = { ...present };
  for (const { hookName, path, args, env, timeout } of added) {
    const hook = { path, args, env, ...(timeout === undefined ? {} : { timeout }) };
    hooks[hookName] = [...(hooks[hookName] ?? []), hook];
  }
  return hooks;
}
