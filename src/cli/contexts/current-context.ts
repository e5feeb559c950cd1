export const DEFAULT_CONTEXT = 'default';

/** What `context use` has written down; '' where it hasn't, or where the file can't be read (the commands that need it say so). */
export async function currentContext(configDirectory: string): Promise<string> {
  const file = Bun.file(`${configDirectory}/config.json`);
  let text: string;
  try {
    text = await file.text();
  } catch {
    return '';
  }
  // Most have none, and every command comes by here.
  if (!text.includes('currentContext')) return '';
  try {
    const { currentContext: name } = JSON.parse(text) as { currentContext?: unknown };
    return typeof name === 'string' ? name : '';
  } catch {
    return '';
  }
}
