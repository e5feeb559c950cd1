/** More than labels of honest images come to. */
const MAX_ATTRIBUTES_LENGTH = 64 * 1024;
const MAX_ACTION_LENGTH = 32 * 1024;

/** What an event of the same things says each time, by what it is made of. */
const bounded = new WeakMap<object, Readonly<Record<string, string>>>();

/**
 * Labels as events tell them: all of them, or, where together they would be too long, the short ones. Images bring labels of megabytes, and a health check makes an
 * event in each millisecond. The answer for one object of labels is remembered.
 */
export function eventLabels(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const known = bounded.get(labels);
  if (known !== undefined) return known;
  const told = withinLength(labels);
  bounded.set(labels, told);
  return told;
}

/** UTF-16 units of an event's text. */
export function lengthOf(action: string, attributes: Readonly<Record<string, string>>): number {
  let length = action.length;
  for (const name in attributes) length += name.length + (attributes[name]?.length ?? 0);
  return length;
}

/** What an action says beside its name: a command, of any length. */
export function boundedAction(action: string): string {
  return action.length <= MAX_ACTION_LENGTH ? action : action.slice(0, MAX_ACTION_LENGTH);
}

function withinLength(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  if (lengthOf('', labels) <= MAX_ATTRIBUTES_LENGTH) return labels;
  const entries = Object.entries(labels).map((entry, at) => ({
    entry,
    at,
    length: entry[0].length + entry[1].length,
  }));
  let left = MAX_ATTRIBUTES_LENGTH;
  const kept = entries
    .toSorted((a, b) => a.length - b.length)
    .filter(({ length }) => {
      left -= length;
      return left >= 0;
    });
  return Object.fromEntries(kept.toSorted((a, b) => a.at - b.at).map(({ entry }) => entry));
}
