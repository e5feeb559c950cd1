import type { ContainerState, ContainerView, MountView } from '../../containers/container.ts';
import type { ContainerSize } from '../../containers/container-backend.ts';
import type { Health } from '../../containers/health/health.ts';
import type {
  ContainerHealth,
  ContainerInspect,
  ContainerSummary,
  MountPoint,
  ContainerState as WireState,
} from '../../wire/container.ts';
import { humanDuration } from '../../wire/human-duration.ts';
import { formatTime } from '../../wire/time.ts';
import { encodeConfig } from './container-config.ts';
import { effectiveNetworkMode, encodeHostConfig } from './host-config.ts';
import { encodeEndpoints, encodeNetworkSettings } from './network.ts';
import { encodePortSummaries } from './ports.ts';

/** Answer of `GET /containers/{id}/json`. */
export function encodeContainer(view: ContainerView, size: ContainerSize | undefined): ContainerInspect {
  return {
    Id: view.id,
    Created: formatTime(view.createdNano),
    Path: view.path,
    Args: view.args,
    State: encodeState(view.state),
    Image: view.image.id,
    ResolvConfPath: view.resolvConfPath,
    HostnamePath: view.hostnamePath,
    HostsPath: view.hostsPath,
    LogPath: view.logPath,
    Name: `/${view.name}`,
    RestartCount: view.restartCount,
    Driver: view.driver,
    Platform: view.image.platform.os,
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: view.appArmorProfile,
    ExecIDs: view.execIds.length === 0 ? null : view.execIds,
    HostConfig: { ...encodeHostConfig(view.host), Links: view.links.length === 0 ? null : view.links },
    GraphDriver: { Data: null, Name: view.driver },
    ...encodeSize(size),
    Mounts: view.mounts.map(encodeMount),
    Config: { ...encodeConfig(view.config), ...encodeMacAddress(view) },
    NetworkSettings: encodeNetworkSettings(view),
  };
}

export interface SummaryContext {
  nowNano: bigint;
  /** The image as the list shows it: its name, or its ID where the name means another image by now. */
  image: string;
  size: ContainerSize | undefined;
}

/** An element of `GET /containers/json`. */
export function encodeSummary(view: ContainerView, context: SummaryContext): ContainerSummary {
  return {
    Id: view.id,
    Names: [`/${view.name}`, ...view.linkNames],
    Image: context.image,
    ImageID: view.image.id,
    Command: commandLine(view),
    Created: Number(view.createdNano / 1_000_000_000n),
    Ports: encodePortSummaries(view),
    ...encodeSummarySize(context.size),
    Labels: view.config.labels,
    State: view.state.status,
    Status: statusText(view, context.nowNano),
    HostConfig: {
      NetworkMode: effectiveNetworkMode(view.host),
      ...(Object.keys(view.host.annotations).length === 0 ? {} : { Annotations: view.host.annotations }),
    },
    NetworkSettings: { Networks: encodeEndpoints(view) },
    Mounts: view.mounts.map(encodeMount),
  };
}

/** Of the mode's network, as Docker shows it since addresses belong to endpoints. */
function encodeMacAddress({ endpoints: [first] }: ContainerView): { MacAddress?: string } {
  const macAddress = first?.asked.macAddress ?? '';
  return macAddress === '' ? {} : { MacAddress: macAddress };
}

/** `Up 5 seconds`, `Exited (0) 3 minutes ago`, as `docker ps` shows it. */
export function statusText(view: ContainerView, nowNano: bigint): string {
  const { state } = view;
  const since = (nano: bigint) => humanDuration(Number(nowNano - nano) / 1e9);
  switch (state.status) {
    case 'created':
      return 'Created';
    case 'running':
      return `Up ${since(state.startedAtNano)}${healthText(state.health)}`;
    case 'paused':
      return `Up ${since(state.startedAtNano)} (Paused)`;
    case 'restarting':
      return `Restarting (${state.exitCode}) ${since(state.finishedAtNano)} ago`;
    case 'removing':
      return 'Removal In Progress';
    case 'exited':
      return state.finishedAtNano === 0n
        ? ''
        : `Exited (${state.exitCode}) ${since(state.finishedAtNano)} ago`;
    case 'dead':
      return 'Dead';
  }
}

function healthText(health: Health | undefined): string {
  if (health === undefined) return '';
  return health.status === 'starting' ? ' (health: starting)' : ` (${health.status})`;
}

function encodeState(state: ContainerState): WireState {
  const { status } = state;
  return {
    Status: status,
    Running: status === 'running' || status === 'paused' || status === 'restarting',
    Paused: status === 'paused',
    Restarting: status === 'restarting',
    OOMKilled: state.oomKilled,
    Dead: status === 'dead',
    Pid: state.pid,
    ExitCode: state.exitCode,
    Error: state.error,
    StartedAt: formatTime(state.startedAtNano),
    FinishedAt: formatTime(state.finishedAtNano),
    ...(state.health === undefined ? {} : { Health: encodeHealth(state.health) }),
  };
}

function encodeHealth({ status, failingStreak, log }: Health): ContainerHealth {
  return {
    Status: status,
    FailingStreak: failingStreak,
    Log: log.map(({ startNano, endNano, exitCode, output }) => ({
      Start: formatTime(startNano),
      End: formatTime(endNano),
      ExitCode: exitCode,
      Output: output,
    })),
  };
}

function encodeMount(mount: MountView): MountPoint {
  return {
    Type: mount.type,
    ...(mount.name === undefined ? {} : { Name: mount.name }),
    Source: mount.source,
    Destination: mount.destination,
    ...(mount.driver === undefined ? {} : { Driver: mount.driver }),
    Mode: mount.mode,
    RW: mount.readWrite,
    Propagation: mount.propagation,
  };
}

function encodeSize(size: ContainerSize | undefined): { SizeRw?: number; SizeRootFs?: number } {
  return size === undefined ? {} : { SizeRw: size.writableBytes, SizeRootFs: size.rootfsBytes };
}

/** A list leaves zeros out. */
function encodeSummarySize(size: ContainerSize | undefined): { SizeRw?: number; SizeRootFs?: number } {
  if (size === undefined) return {};
  const { writableBytes, rootfsBytes } = size;
  return {
    ...(writableBytes === 0 ? {} : { SizeRw: writableBytes }),
    ...(rootfsBytes === 0 ? {} : { SizeRootFs: rootfsBytes }),
  };
}

/** Arguments with a blank in quotes, as Docker joins them. */
function commandLine({ path, args }: ContainerView): string {
  return [path, ...args.map((arg) => (arg.includes(' ') ? `'${arg}'` : arg))].join(' ');
}
