import { expect, test } from 'bun:test';
import type * as sdk from '@docker/node-sdk';
import type { ContainerCreateRequest, ContainerInspect, ContainerSummary } from './container.ts';
import type { ContainerConfig } from './container-config.ts';
import type { HostConfig } from './host-config.ts';
import type { ImageInspect, ImageSummary } from './image.ts';
import type { EndpointSettings } from './network.ts';
import type { EventMessage, SystemInfo } from './system.ts';

/** Fields that the official types have and ours lack; each list names what is left out on purpose. */
type Missing<Official, Ours, Known = never> = Exclude<keyof Official, keyof Ours | Known>;
type Complete<Left extends PropertyKey> = [Left] extends [never] ? true : Left;

const complete: {
  config: Complete<Missing<sdk.ContainerConfig, ContainerConfig>>;
  hostConfig: Complete<Missing<sdk.HostConfig, HostConfig>>;
  create: Complete<Missing<sdk.ContainerCreateRequest, ContainerCreateRequest>>;
  inspect: Complete<Missing<sdk.ContainerInspectResponse, ContainerInspect>>;
  summary: Complete<Missing<sdk.ContainerSummary, ContainerSummary, 'Health'>>;
  image: Complete<Missing<sdk.ImageInspect, ImageInspect, 'Manifests'>>;
  images: Complete<Missing<sdk.ImageSummary, ImageSummary, 'Manifests'>>;
  endpoint: Complete<Missing<sdk.EndpointSettings, EndpointSettings>>;
  event: Complete<Missing<sdk.EventMessage, EventMessage>>;
  info: Complete<
    Missing<
      sdk.SystemInfo,
      SystemInfo,
      | 'BridgeNfIptables'
      | 'BridgeNfIp6tables'
      | 'Containerd'
      | 'DefaultAddressPools'
      | 'DiscoveredDevices'
      | 'KernelMemoryTCP'
      | 'ProductLicense'
    >
  >;
} = {
  config: true,
  hostConfig: true,
  create: true,
  inspect: true,
  summary: true,
  image: true,
  images: true,
  endpoint: true,
  event: true,
  info: true,
};

test("our wire types know every field of the official SDK's (held by the type checker)", () => {
  expect(Object.values(complete).every(Boolean)).toBe(true);
});
