import { EngineError } from '../errors/engine-error.ts';

/** Longest name quoted in a message; hostile ones can be a megabyte. */
const quotedLength = 200;

/** The archive says something that no honest writer says, or that we refuse to obey. `member` is the path as far as it is known. */
export function hostileArchive(member: string, reason: string): EngineError {
  return new EngineError('invalid', describe(member, reason), { code: 'archive-hostile' });
}

/** The archive ends too early. */
export function truncatedArchive(member: string, reason: string): EngineError {
  return new EngineError('invalid', describe(member, reason), { code: 'archive-truncated' });
}

function describe(member: string, reason: string): string {
  if (member === '') return `Cannot read archive: ${reason}`;
  const shown = member.length > quotedLength ? `${member.slice(0, quotedLength)}…` : member;
  return `Cannot read archive: member ${JSON.stringify(shown)}: ${reason}`;
}
