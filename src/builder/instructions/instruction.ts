import type { Healthcheck } from '../../oci/image-config.ts';
import type { SourceRange } from '../parser/source-range.ts';

/** What every instruction carries from the file. */
export interface InstructionSource {
  /** The keyword as it was spelled (`RUN`, `run`). */
  readonly keyword: string;
  /** The whole instruction, continuation lines joined, trimmed; without the contents of its heredocs. */
  readonly code: string;
  readonly range: SourceRange;
  /** Comment lines directly above, without `#`. */
  readonly comments: readonly string[];
}

/** One `FROM` and what follows it up to the next. */
export interface Stage extends InstructionSource {
  /** The name after AS in lower case; '' without one. */
  readonly name: string;
  /** The name after AS as it was spelled. */
  readonly spelledName: string;
  /** The image or the stage that it starts from, not expanded. */
  readonly base: string;
  /** `--platform`, not expanded; '' without one. */
  readonly platform: string;
  readonly instructions: readonly Instruction[];
  /** `# <name> <text>` above the FROM: the text. */
  readonly docComment: string;
}

/** All that stands in a stage. Values are as written: `expandInstruction` puts the variables in. */
export type Instruction =
  | AddInstruction
  | ArgInstruction
  | CmdInstruction
  | CopyInstruction
  | EntrypointInstruction
  | EnvInstruction
  | ExposeInstruction
  | HealthcheckInstruction
  | LabelInstruction
  | MaintainerInstruction
  | OnbuildInstruction
  | RunInstruction
  | ShellInstruction
  | StopsignalInstruction
  | UserInstruction
  | VolumeInstruction
  | WorkdirInstruction;

export type InstructionKind = Instruction['kind'];

export interface KeyValue {
  readonly key: string;
  readonly value: string;
  /** The old form `KEY value`, without `=`. */
  readonly legacy: boolean;
}

export interface ArgDeclaration {
  readonly key: string;
  /** Undefined for `ARG name`; '' for `ARG name=`. */
  readonly value: string | undefined;
  /** `# <key> <text>` above the ARG: the text. */
  readonly docComment: string;
}

export interface ArgInstruction extends InstructionSource {
  readonly kind: 'arg';
  readonly args: readonly ArgDeclaration[];
}

export interface EnvInstruction extends InstructionSource {
  readonly kind: 'env';
  readonly env: readonly KeyValue[];
}

export interface LabelInstruction extends InstructionSource {
  readonly kind: 'label';
  readonly labels: readonly KeyValue[];
}

export interface MaintainerInstruction extends InstructionSource {
  readonly kind: 'maintainer';
  readonly maintainer: string;
}

/** A heredoc that stands for a file in COPY or ADD. */
export interface SourceContent {
  /** The word after `<<`: its name in the destination. */
  readonly path: string;
  /** Leading tabs already gone where `<<-` asked for it. */
  readonly data: string;
  readonly expand: boolean;
}

/** What COPY and ADD have in common. */
export interface FileTransfer extends InstructionSource {
  readonly destination: string;
  readonly sources: readonly string[];
  readonly contents: readonly SourceContent[];
  /** `--chown`, not resolved; '' without one. */
  readonly chown: string;
  /** `--chmod`: octal or symbolic; '' without one. */
  readonly chmod: string;
  readonly link: boolean;
  readonly exclude: readonly string[];
}

export interface CopyInstruction extends FileTransfer {
  readonly kind: 'copy';
  /** A stage, a number, a named context or an image; '' is the build context. Never expanded. */
  readonly from: string;
  readonly parents: boolean;
}

export interface AddInstruction extends FileTransfer {
  readonly kind: 'add';
  /** `sha256:…`, or a commit for git sources; '' without one. */
  readonly checksum: string;
  /** Undefined when not given. */
  readonly keepGitDir: boolean | undefined;
  /** Undefined when not given: local archives are unpacked, remote ones not. */
  readonly unpack: boolean | undefined;
}

/** A heredoc of RUN. */
export interface InlineFile {
  readonly name: string;
  readonly data: string;
  /** `<<-`: leading tabs are still in `data`. */
  readonly chomp: boolean;
}

/** What RUN, CMD and ENTRYPOINT have in common. */
export interface CommandLine extends InstructionSource {
  /** Shell form: one string. */
  readonly commandLine: readonly string[];
  /** Shell form: the stage's SHELL goes in front. */
  readonly prependShell: boolean;
  readonly files: readonly InlineFile[];
}

export interface RunInstruction extends CommandLine {
  readonly kind: 'run';
  /** `--mount` values as written; `readMounts` makes RunMounts of them once variables are known. */
  readonly mounts: readonly string[];
  readonly network: RunNetwork;
  readonly security: RunSecurity;
  readonly devices: readonly RunDevice[];
  /** Names of the flags that were given, without `--`, each once. */
  readonly flagsUsed: readonly string[];
}

export type RunNetwork = 'default' | 'none' | 'host';
export type RunSecurity = 'sandbox' | 'insecure';

/** `--device`: a CDI name. */
export interface RunDevice {
  readonly name: string;
  readonly required: boolean;
}

export type RunMountType = 'bind' | 'cache' | 'tmpfs' | 'secret' | 'ssh';
export type CacheSharing = 'shared' | 'private' | 'locked';

/** One `RUN --mount`, expanded. Empty strings are "not given". */
export interface RunMount {
  readonly type: RunMountType;
  readonly from: string;
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  /** tmpfs: bytes, 0 = no limit of its own. */
  readonly sizeBytes: bigint;
  /** cache, secret, ssh: `id`. */
  readonly id: string;
  readonly sharing: CacheSharing | undefined;
  /** secret, ssh. */
  readonly required: boolean;
  /** secret: the variable that carries it; '' = the one named after the id; undefined = a file. */
  readonly env: string | undefined;
  readonly mode: number | undefined;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

export interface CmdInstruction extends CommandLine {
  readonly kind: 'cmd';
}

export interface EntrypointInstruction extends CommandLine {
  readonly kind: 'entrypoint';
}

export interface ShellInstruction extends InstructionSource {
  readonly kind: 'shell';
  readonly shell: readonly string[];
}

export interface HealthcheckInstruction extends InstructionSource {
  readonly kind: 'healthcheck';
  /** `test` is `NONE`, or starts with `CMD` or `CMD-SHELL`. */
  readonly healthcheck: Healthcheck;
}

export interface ExposeInstruction extends InstructionSource {
  readonly kind: 'expose';
  /** Words as written, sorted by their bytes: `80`, `53/udp`, `7000-7010/tcp`, `$PORT`. */
  readonly ports: readonly string[];
}

export interface UserInstruction extends InstructionSource {
  readonly kind: 'user';
  readonly user: string;
}

export interface VolumeInstruction extends InstructionSource {
  readonly kind: 'volume';
  readonly volumes: readonly string[];
}

export interface WorkdirInstruction extends InstructionSource {
  readonly kind: 'workdir';
  readonly path: string;
}

export interface StopsignalInstruction extends InstructionSource {
  readonly kind: 'stopsignal';
  readonly signal: string;
}

export interface OnbuildInstruction extends InstructionSource {
  readonly kind: 'onbuild';
  /** The instruction behind ONBUILD as the image config stores it, heredocs included. */
  readonly expression: string;
}
