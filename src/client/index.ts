export type { ContainerPathStat } from '../wire/path-stat.ts';
export { ApiError } from './api-error.ts';
export type {
  AttachOptions,
  CommitOptions,
  ContainerClient,
  LogsOptions,
  WaitCondition,
  WritePathOptions,
} from './container-client.ts';
export { demultiplex, type StreamName, type StreamPart } from './demultiplex.ts';
export type { DistributionClient, DistributionOptions } from './distribution-client.ts';
export { type Endpoint, parseEndpoint } from './endpoint.ts';
export { EngineClient } from './engine-client.ts';
export type { CallOptions, ConnectionOptions, EngineConnection, PingResult } from './engine-connection.ts';
export type { ExecClient, ExecCreateOptions } from './exec-client.ts';
export type {
  CopyOptions,
  ImageClient,
  ImportOptions,
  LoadAnswer,
  LoadOptions,
  PullOptions,
  PushOptions,
  SearchOptions,
} from './image-client.ts';
export { jsonLines } from './json-lines.ts';
export type * from './model.ts';
export type { NetworkClient } from './network-client.ts';
export type { SystemClient } from './system-client.ts';
export type * from './transport.ts';
export type { CreateVolumeOptions, VolumeAttributes, VolumeClient } from './volume-client.ts';
