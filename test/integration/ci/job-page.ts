import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What of a GitLab job the page's example uses. */
export interface GitlabJob {
  image: string;
  services: { name: string; alias: string }[];
  variables: Record<string, string>;
  script: string[];
}

/** What of a GitHub job the page's example uses. */
export interface GithubJob {
  container: { image: string; volumes: string[] };
  env: Record<string, string>;
  steps: { run: string; if?: string }[];
}

const page = readFileSync(join(import.meta.dir, '../../../docs/ci.md'), 'utf8');

/** The example of one kind, as the page has it. */
function example(kind: string): Record<string, unknown> {
  const text = new RegExp(`^\`\`\`yaml ${kind}\\n([^]*?)^\`\`\``, 'm').exec(page)?.[1];
  if (text === undefined) throw new Error(`docs/ci.md has no example for ${kind}`);
  return Bun.YAML.parse(text) as Record<string, unknown>;
}

export function gitlabJob(): GitlabJob {
  return example('gitlab')['build'] as GitlabJob;
}

export function githubJob(): GithubJob {
  return (example('github')['jobs'] as { build: GithubJob }).build;
}

/** The flags of the page's table that are the least. */
export function leastRights(): string[] {
  const flags = /^\| `(--cap-add [^`]+)`/m.exec(page)?.[1];
  if (flags === undefined) throw new Error('docs/ci.md tells no rights');
  return flags.split(' ');
}

/** `$NAME` by values, as a runner does before a job sees them. */
export function expanded(values: Record<string, string>): Record<string, string> {
  const expand = (text: string): string =>
    text.replace(/\$(\w+)/g, (_, name: string) => expand(values[name] ?? ''));
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, expand(value)]));
}
