/** Credentials in a URL are no one else's business. */
export function withoutLogin(url: string): string {
  return url.replace(/^([a-z+]+:\/\/)[^/?#]*@/i, '$1');
}
