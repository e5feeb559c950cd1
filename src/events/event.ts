/** An event of the engine, as `GET /events` tells it. */
export interface EngineEvent {
  type: 'container' | 'image' | 'network' | 'volume' | 'daemon' | 'builder';
  action: string;
  actorId: string;
  attributes: Record<string, string>;
  /** Nanoseconds since 1970, strictly rising within one daemon's history. */
  timeNano: bigint;
}

/** Publishes after the commit that made it true; one order for all readers. */
export interface EventSink {
  publish(event: Omit<EngineEvent, 'timeNano'> & { timeNano?: bigint }): void;
}
