/** Sampan's own form of `POST /build` (`version=sampan`): what the client asks for, what it is told. */

/** A larger one is refused, wherever it comes from. */
export const MAX_DOCKERFILE_BYTES = 16 << 20;

/** The first part of the request, JSON. */
export interface BuildRequestJson {
  context: 'sent' | 'none' | { url: string };
  /** The name of the one that is sent as a part, or its path in a context that isn't filtered here (an archive, a URL). */
  dockerfile: { name: string } | { path: string };
  namedContexts: Record<
    string,
    | { type: 'local' }
    | { type: 'image'; reference: string }
    | { type: 'remote'; url: string }
    /** `<name of the layout>[:<tag>]@<digest>` */
    | { type: 'oci-layout'; reference: string }
  >;
  target: string;
  platforms: string[];
  buildArgs: Record<string, string>;
  labels: Record<string, string>;
  noCache: boolean;
  noCacheStages: string[];
  pull: boolean;
  outputs: BuildOutputJson[];
  cacheFrom: { type: string; attributes: Record<string, string> }[];
  cacheTo: { type: string; attributes: Record<string, string> }[];
  /** Attributes by kind; what is absent is not wanted. */
  attestations: { provenance?: Record<string, string>; sbom?: Record<string, string> };
  network: string;
  extraHosts: string[];
  limits: {
    memory?: string;
    memorySwap?: string;
    cpuShares?: number;
    cpuPeriod?: number;
    cpuQuota?: number;
    cpusetCpus?: string;
    cpusetMems?: string;
    cgroupParent?: string;
    shmSize?: number;
    ulimits?: { name: string; soft: number; hard: number }[];
  };
  entitlements: string[];
  /** Ids of the SSH agents that the client forwards. */
  agents?: string[];
  /** The client has a terminal for a shell where the first step fails (`BuildMessage.terminal`). */
  debug?: boolean;
  checkOnly: boolean;
  /** Only an answer about the Dockerfile: `result.json` and `result.txt` of the metadata. */
  describe?: 'outline' | 'targets';
}

export type BuildOutputJson =
  | { type: 'image'; names: string[]; push: boolean; attributes: Record<string, string> }
  | {
      type: 'local' | 'tar' | 'oci' | 'docker';
      id: string;
      names: string[];
      attributes: Record<string, string>;
    };

/**
 * Parts of the request's body, one after the other: 2 bytes length of the name, the name, then pieces of 4 bytes length and so many bytes, a
 * length of 0 ends the part. All numbers are big-endian. `request` comes first, then `dockerfile`, where it is sent, then `secret:<id>`, then `context:<name>` (a tar each) or
 * `directory:<name>` (`LocalDirectoryJson`).
 */
export const BUILD_BODY_TYPE = 'application/vnd.sampan.build.v1';

/**
 * A context that the daemon is to read where it lies. Refused with 409 where it can't, or may not: the client sends it then.
 */
export interface LocalDirectoryJson {
  /** Absolute, without links; well-formed Unicode. */
  path: string;
  /** What stands in the file that `GET /build/local` names: who could read that is root on this machine. */
  proof: string;
  /** stat(2) of the directory as the client sees it, decimal. */
  device: string;
  inode: string;
  birthNs: string;
  /** Patterns of `.dockerignore`. */
  ignore: string[];
}

/** Answer of `GET /build/local`. */
export interface LocalProofJson {
  /** Only root can read it. */
  file: string;
}

/** A line of the answer. Progress has the form of BuildKit's `rawjson`. */
export interface BuildMessage {
  vertexes?: BuildVertexJson[];
  statuses?: BuildStatusJson[];
  logs?: BuildLogJson[];
  warnings?: BuildWarningJson[];
  /** The client fetches it from `GET /build/outputs/{token}`. */
  output?: { id: string; token: string; type: 'local' | 'tar' | 'oci' | 'docker' };
  blob?: BlobCallJson;
  agent?: AgentCallJson;
  terminal?: TerminalCallJson;
  /** The last line of a build that went well. */
  result?: { imageId?: string; metadata: Record<string, string> };
  /** The last line of one that failed. */
  error?: BuildErrorJson;
}

export interface BuildErrorJson {
  message: string;
  code?: number;
  lines?: BuildLines;
  dockerfile?: string;
  /** A context that was read where it lies didn't hold still: an archive of it would. */
  contextChanged?: true;
}

/**
 * A blob of one of the client's OCI layouts is wanted: the client puts it at `/build/blobs/{token}`. With a `size` one is there for it: it gets it from the
 * same place. DELETE is the answer of one that hasn't got it, or has it already.
 */
export interface BlobCallJson {
  token: string;
  /** `local:<directory of the cache>` or `oci:<name of the layout>` */
  store: string;
  digest: string;
  size?: number;
}

/** A connection to the client's SSH agent of that id: the client makes it by `POST /build/agents/{token}`, upgraded to `tcp`. */
export interface AgentCallJson {
  token: string;
  id: string;
}

/**
 * A step has failed, and a shell waits there: the client opens it by `POST /build/terminals/{token}`, upgraded to `tcp`, and tells its size by
 * `POST /build/terminals/{token}/resize?h=&w=`. The `error` line follows when the shell has ended.
 */
export interface TerminalCallJson {
  token: string;
  error: BuildErrorJson;
  shell: string[];
}

export interface BuildLines {
  start: number;
  end: number;
}

export interface BuildVertexJson {
  digest: string;
  inputs?: string[];
  name: string;
  started?: string;
  completed?: string;
  cached?: boolean;
  error?: string;
  /** Not BuildKit's. */
  lines?: BuildLines;
  explanation?: string;
}

export interface BuildStatusJson {
  id: string;
  vertex: string;
  name?: string;
  total?: number;
  current: number;
  timestamp: string;
  started?: string;
  completed?: string;
}

export interface BuildLogJson {
  vertex: string;
  stream: 1 | 2;
  /** Base64. */
  data: string;
  timestamp: string;
}

export interface BuildWarningJson {
  vertex?: string;
  level: number;
  /** Base64, as all of BuildKit's byte fields. */
  short: string;
  detail?: string[];
  url?: string;
  range?: { start: { line: number }; end: { line: number } }[];
}
