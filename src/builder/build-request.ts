import type { Platform } from '../oci/platform.ts';
import type { BuildSession } from './build-session.ts';

/** A named context (`--build-context name=…`), after its client has taken it apart. */
export type NamedContext =
  /** Files of the session's context of that name. */
  | { type: 'local'; name: string }
  /** `docker-image://ref` */
  | { type: 'image'; reference: string }
  /** git or http(s) */
  | { type: 'remote'; url: string }
  /** `oci-layout://…`: the session's content store, by its digest. */
  | { type: 'oci-layout'; reference: string };

/** Where the build's own context comes from. */
export type MainContext =
  | { type: 'local' }
  /** git repository (`url#ref:dir`), or the URL of a tar or a Dockerfile. */
  | { type: 'remote'; url: string }
  /** None: a Dockerfile alone. */
  | { type: 'none' };

export type CacheSource = { type: 'registry' | 'local' | 'inline'; attributes: Record<string, string> };
export type CacheTarget = CacheSource & { mode: 'min' | 'max' };

export type BuildOutput =
  /** For other builds of its client, which name it by its image's ID: in nobody's list of images, and gone with `BuildResult.letGo`. */
  | { type: 'result'; names: readonly []; attributes: Record<string, never> }
  /** Into this engine's images, under `names`; `push`: and to their registries. */
  | {
      type: 'image';
      names: readonly string[];
      push: boolean;
      /** False: built and pushed, not kept under a name. */
      store: boolean;
      attributes: Record<string, string>;
    }
  /** To the session's `OutputSink` of that id. */
  | {
      type: 'local' | 'tar' | 'oci' | 'docker';
      id: string;
      names: readonly string[];
      attributes: Record<string, string>;
    };

/** Limits of the RUN steps, of the classic API. */
export interface StepLimits {
  memoryBytes: bigint;
  memorySwapBytes: bigint;
  cpuShares: number;
  cpuPeriod: number;
  cpuQuota: number;
  cpusetCpus: string;
  cpusetMems: string;
  cgroupParent: string;
  shmSizeBytes: number;
  ulimits: readonly { name: string; soft: number; hard: number }[];
}

/** One build, whatever protocol it came by. Values are as the user gave them; the builder checks them. */
export interface BuildRequest {
  session: BuildSession;
  context: MainContext;
  /** Where the Dockerfile lies: in the main context, in the session's context `dockerfile` (stdin, `-f` elsewhere), or given. */
  dockerfile:
    | { from: 'context'; path: string }
    | { from: 'session'; path: string }
    | { from: 'text'; text: Uint8Array };
  /** The client has left out what `.dockerignore` names: none is looked for. */
  isContextFiltered?: boolean;
  namedContexts: ReadonlyMap<string, NamedContext>;
  /** Empty: the last stage. A name or a number. */
  target: string;
  /** Empty: this host's. */
  platforms: readonly Platform[];
  buildArgs: ReadonlyMap<string, string>;
  labels: ReadonlyMap<string, string>;
  noCache: boolean;
  /** Stage names of `--no-cache-filter`. */
  noCacheStages: readonly string[];
  /** Ask the registries for newer base images. */
  pull: boolean;
  cacheFrom: readonly CacheSource[];
  cacheTo: readonly CacheTarget[];
  outputs: readonly BuildOutput[];
  /** '' or `default`, `none`, `host`, a network's name (classic API). */
  network: string;
  extraHosts: readonly string[];
  limits: Partial<StepLimits>;
  /** `network.host`, `security.insecure` as the user allowed them. */
  entitlements: readonly string[];
  /** `attest:provenance`, `attest:sbom`: attributes by kind; absent: not wanted. */
  attestations: ReadonlyMap<'provenance' | 'sbom', Record<string, string>>;
  /** Only the checks: nothing is built. */
  checkOnly: boolean;
  /** Only an answer about the Dockerfile, as `result.json` and `result.txt` of the metadata: what its target can be given, what there is to build, what its checks find. */
  describe?: 'outline' | 'targets' | 'lint' | undefined;
  /** The request as its client gave it, for provenance: `build-arg:NAME`, `target` … Never secrets. */
  parameters?: Readonly<Record<string, string>>;
  /** SOURCE_DATE_EPOCH, seconds since 1970. */
  sourceDateEpoch: string | undefined;
}
