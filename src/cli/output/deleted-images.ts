import type { ImageDeleted } from '../../client/model.ts';

/** What a prune did to images, one a line, and an empty line; nothing when it did nothing. */
export function deletedImages(deleted: readonly ImageDeleted[]): string {
  if (deleted.length === 0) return '';
  const lines = deleted.map(({ Untagged, Deleted }) =>
    Untagged ? `untagged: ${Untagged}\n` : `deleted: ${Deleted ?? ''}\n`,
  );
  return `Deleted Images:\n${lines.join('')}\n`;
}
