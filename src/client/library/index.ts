import './dispose-symbols.ts';

export { EngineError, type ErrorCode, type ErrorKind } from '../../errors/engine-error.ts';
export * from '../index.ts';
export { nodeTransport, type TlsOptions } from '../node/node-transport.ts';
export { Attachment } from './attachment.ts';
export type { BuildImageOptions } from './build-image.ts';
export { type ConnectOptions, connect } from './connect.ts';
export { Container, type LogOptions } from './container.ts';
export type { ContainerOptions, HealthCheck, Mount, PublishedPort } from './create-body.ts';
export { type CreateOptions, Engine } from './engine.ts';
export { Exec, type ExecOptions, type ExecResult } from './exec.ts';
export type { Images, PullImageOptions } from './images.ts';
export { type CollectedOutput, Output, type OutputLine, type OutputPart } from './output.ts';
export type { FileAttributes } from './tar-writer.ts';
export { Volume, type Volumes } from './volumes.ts';
export type { WaitOptions } from './wait-for.ts';
