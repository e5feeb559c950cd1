/**
 * Connections that things hang on. A client holds a lifeline open and names it when it makes a container or a volume; when the last
 * connection of a lifeline is lost, by whatever end of its process, what hangs on it is removed.
 */
export interface LifelineBackend {
  /** Hold `id` until `signal` aborts. Several connections may hold the same one. */
  hold(id: string, signal: AbortSignal): void;
  /**
   * Make something that hangs on `id`; undefined: on nothing.
   *
   * @throws EngineError "conflict" when nobody holds it; else what `make` throws.
   */
  guard<T>(id: string | undefined, make: () => Promise<T>): Promise<T>;
}
