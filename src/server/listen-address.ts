import { EngineError } from '../errors/engine-error.ts';

export interface TlsFiles {
  cert: string | Buffer;
  key: string | Buffer;
  /** Client certificates must be signed by it; undefined: any client may come (`--tls` without verify). */
  clientCa: string | Buffer | undefined;
}

/** Where to listen, as `-H` says it. */
export type ListenAddress =
  | {
      kind: 'unix';
      path: string;
      /** Group that may connect; left as it is where the group doesn't exist. */
      group: string;
    }
  | {
      kind: 'tcp';
      host: string;
      port: number;
      tls: TlsFiles | undefined;
      /** Let anyone on the network command this machine as root. */
      insecure: boolean;
    }
  | {
      kind: 'fd';
      /** undefined: every socket that was passed on. */
      fd: number | undefined;
    };

export interface AddressOptions {
  group?: string;
  tls?: TlsFiles;
  insecure?: boolean;
}

const DEFAULT_PORT = 2375;
const DEFAULT_TLS_PORT = 2376;

/**
 * Read `unix:///run/sampan.sock`, `tcp://127.0.0.1:2375` or `fd://`.
 *
 * @throws EngineError "invalid", in dockerd's words, on anything else.
 */
export function parseListenAddress(text: string, options: AddressOptions = {}): ListenAddress {
  const [, scheme, rest = ''] = /^([a-z]+):\/\/(.*)$/.exec(text.trim()) ?? [];
  const invalid = () =>
    new EngineError('invalid', `invalid bind address (${text}): expected unix://, tcp:// or fd://`);
  if (scheme === 'unix') {
    if (!rest.startsWith('/')) throw invalid();
    return { kind: 'unix', path: rest, group: options.group ?? 'docker' };
  }
  if (scheme === 'fd') {
    if (rest !== '' && rest !== '*' && !/^\d{1,4}$/.test(rest)) throw invalid();
    return { kind: 'fd', fd: rest === '' || rest === '*' ? undefined : Number(rest) };
  }
  if (scheme !== 'tcp') throw invalid();
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:/[\]]*)(?::(\d{1,5}))?\/?$/.exec(rest);
  const port = Number(match?.[2] ?? (options.tls === undefined ? DEFAULT_PORT : DEFAULT_TLS_PORT));
  if (match === null || port > 65535) throw invalid();
  const host = (match[1] ?? '').replace(/^\[|\]$/g, '');
  return {
    kind: 'tcp',
    host: host === '' ? '127.0.0.1' : host,
    port,
    tls: options.tls,
    insecure: options.insecure ?? false,
  };
}
