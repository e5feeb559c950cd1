import type { ExecConfig } from '../../containers/exec/exec-backend.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { ExecCreateRequest, ExecStartRequest } from '../../wire/exec.ts';
import type { Json } from '../../wire/json.ts';
import { compareApiVersions } from '../../wire/versions.ts';
import { checkEnvironment } from './check-environment.ts';
import { detachKeysOf } from './detach-keys.ts';
import { boolean, type Decoder, Fields, int, string, strings } from './go-json.ts';

type Size = [rows: number, columns: number];

const CONSOLE_SIZE_SINCE = '1.42';

/** @throws EngineError "invalid" on wrong types and a missing command, in Docker's words. */
export function decodeExecCreate(body: Json | undefined, version: string): ExecConfig {
  const fields = new Fields(body ?? {}, 'ExecOptions', 'container.ExecOptions');
  const get = <T>(name: keyof ExecCreateRequest, decoder: Decoder<T>): T | undefined =>
    fields.get(name, decoder);
  const command = get('Cmd', strings) ?? [];
  const keys = get('DetachKeys', string) ?? '';
  const env = get('Env', strings) ?? [];
  checkEnvironment(env);
  const config: ExecConfig = {
    command,
    env,
    user: get('User', string) ?? '',
    workingDir: get('WorkingDir', string) ?? '',
    privileged: get('Privileged', boolean) ?? false,
    tty: get('Tty', boolean) ?? false,
    attachStdin: get('AttachStdin', boolean) ?? false,
    attachStdout: get('AttachStdout', boolean) ?? false,
    attachStderr: get('AttachStderr', boolean) ?? false,
    detachKeys: keys === '' ? new Uint8Array() : detachKeysOf(keys, { kind: 'internal', what: 'escape' }),
    consoleSize: sizeSince(version, get('ConsoleSize', consoleSize)),
  };
  if (command.length === 0) throw new EngineError('invalid', 'No exec command specified');
  return config;
}

export interface ExecStart {
  detach: boolean;
  /** How the streams are sent: raw, or framed. The process has its own word on terminals. */
  tty: boolean;
  consoleSize: Size | undefined;
}

/** @throws EngineError "invalid" on wrong types. */
export function decodeExecStart(body: Json | undefined, version: string): ExecStart {
  const fields = new Fields(body ?? {}, 'ExecStartOptions', 'container.ExecStartOptions');
  const get = <T>(name: keyof ExecStartRequest, decoder: Decoder<T>): T | undefined =>
    fields.get(name, decoder);
  const tty = get('Tty', boolean) ?? false;
  const size = sizeSince(version, get('ConsoleSize', consoleSize));
  return { detach: get('Detach', boolean) ?? false, tty, consoleSize: tty ? size : undefined };
}

/** Docker has an array of two in Go, which takes a shorter or a longer list. */
const consoleSize: Decoder<Size> = (value, field) => {
  if (!Array.isArray(value)) {
    const text = `invalid JSON: json: cannot unmarshal ${typeof value} into Go struct field ${field} of type [2]uint`;
    throw new EngineError('invalid', text);
  }
  const [rows = 0, columns = 0] = value.map((element) => (element === null ? 0 : int(element, field)));
  return [side(rows), side(columns)];
};

function side(value: number): number {
  return Math.max(0, Math.min(value, 0xffff));
}

function sizeSince(version: string, size: Size | undefined): Size | undefined {
  return compareApiVersions(version, CONSOLE_SIZE_SINCE) < 0 ? undefined : size;
}
