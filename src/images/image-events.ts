import type { EventSink } from '../events/event.ts';
import { eventLabels } from '../events/event-size.ts';
import type { Digest } from '../oci/digest.ts';
import { familiarName, familiarRepository, type Reference } from '../oci/reference.ts';

export type Labels = Readonly<Record<string, string>>;

/** Image events with Docker's actors and attributes: labels, and `name`. */
export class ImageEvents {
  readonly #sink: EventSink;

  constructor(sink: EventSink) {
    this.#sink = sink;
  }

  pulled(reference: Reference, labels: Labels): void {
    this.#publish('pull', familiarName(reference), {
      ...eventLabels(labels),
      name: familiarRepository(reference),
    });
  }

  tagged(id: Digest, target: Reference, labels: Labels): void {
    this.#publish('tag', id, { ...eventLabels(labels), name: familiarName(target) });
  }

  pushed(reference: Reference, labels: Labels): void {
    this.#publish('push', familiarName(reference), {
      ...eventLabels(labels),
      name: familiarRepository(reference),
    });
  }

  /** These name the image by its ID. */
  happened(
    action: 'import' | 'untag' | 'delete' | 'save' | 'load' | 'create',
    id: Digest,
    labels: Labels,
  ): void {
    this.#publish(action, id, { ...eventLabels(labels), name: id });
  }

  pruned(reclaimedBytes: number): void {
    this.#publish('prune', '', { reclaimed: String(reclaimedBytes) });
  }

  #publish(action: string, actorId: string, attributes: Record<string, string>): void {
    this.#sink.publish({ type: 'image', action, actorId, attributes });
  }
}
