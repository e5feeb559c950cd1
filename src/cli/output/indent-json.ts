/** JSON text laid out anew, its tokens untouched (numbers keep their digits, keys their order). */
export function indentJson(text: string, options: { indent?: string; depth?: number } = {}): string {
  const step = options.indent ?? '    ';
  let depth = options.depth ?? 0;
  let out = '';
  const margin = () => `\n${step.repeat(depth)}`;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g)) {
    if (token === '{' || token === '[') {
      depth++;
      out += token + margin();
    } else if (token === '}' || token === ']') {
      depth--;
      // An empty pair closes where it opened.
      out = /[{[]\s*$/.test(out.slice(-(depth + 2) * step.length - 2))
        ? out.trimEnd() + token
        : out + margin() + token;
    } else if (token === ',') out += token + margin();
    else if (token === ':') out += ': ';
    else out += token;
  }
  return out;
}
