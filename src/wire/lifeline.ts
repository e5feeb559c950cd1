/**
 * Under this key a container's annotations, or a volume's labels, name the lifeline that it hangs on. Annotations, since a container's
 * labels would go on into an image that is committed from it.
 */
export const LIFELINE_KEY = 'io.sampan.lifeline';

/** 32 random bytes in hex, chosen by the client: who knows it can keep alive what hangs on it. */
export function isLifelineId(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

/** A line of the answer to `POST /lifelines/{id}`: once at the beginning, then now and then, so that a lost peer is noticed. */
export interface LifelineBeat {
  ID: string;
}
