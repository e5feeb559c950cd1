import { formatPlatform, hostPlatform, type Platform } from '../../oci/platform.ts';

/** The kernel's words as runtimes and shells spell them: ENOEXEC, or ENOENT for an interpreter that isn't in the root. */
const NO_EXEC = /exec format error|^exec .*: no such file or directory/im;

/** Notices that a step's programs are another machine's. */
export class ForeignPrograms {
  readonly #platform: Platform;
  readonly #isForeign: boolean;
  #isRefused = false;

  constructor(platform: Platform) {
    this.#platform = platform;
    this.#isForeign = platform.architecture !== hostPlatform().architecture;
  }

  /** Something that the step has printed. */
  see(data: Uint8Array): void {
    if (this.#isForeign && !this.#isRefused)
      this.#isRefused = NO_EXEC.test(Buffer.from(data).toString('latin1'));
  }

  /** Its command can't be started. */
  notStarted(): void {
    this.#isRefused = this.#isForeign;
  }

  /** What a failure says more; '' where it has another reason. `runnable` are this host's platforms, those of its interpreters included. */
  async advice(runnable: () => Promise<readonly Platform[]>): Promise<string> {
    if (!this.#isRefused) return '';
    const { architecture } = this.#platform;
    if ((await runnable()).some((one) => one.architecture === architecture)) return '';
    const name = formatPlatform(this.#platform);
    return `: this host has no interpreter for programs of ${name} (binfmt_misc, with flag F): install qemu-user-static and binfmt-support, or begin the stage with FROM --platform=$BUILDPLATFORM`;
  }
}
