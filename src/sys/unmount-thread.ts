import { RequestThread } from './request-thread.ts';

/** Unmounts in a thread of its own: taking an overlay away syncs its whole upper file system, which can take as long as the disk likes. */
export class UnmountThread {
  readonly #thread = new RequestThread<string, boolean>(
    new URL('./unmount-worker.ts', import.meta.url),
    'unmount',
  );

  /** As `unmountIfMounted(target, { detach: true })`. @throws EngineError "internal" code syscall-failed. */
  unmount(target: string): Promise<boolean> {
    return this.#thread.ask(target);
  }
}
