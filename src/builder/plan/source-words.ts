/** Whether ADD takes a source word for a repository. */
export function isGitUrl(source: string): boolean {
  return /^(?:git@|git:\/\/|ssh:\/\/)/.test(source) || /^https?:\/\/[^#?]+\.git(?:[#?].*)?$/.test(source);
}

/** Whether ADD takes it for a download. */
export function isHttpUrl(source: string): boolean {
  return /^https?:\/\//.test(source);
}
