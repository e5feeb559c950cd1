import { NAME_SERVER_ADDRESS } from './redirect-rules.ts';

export interface ResolverWords {
  nameservers: readonly string[];
  search: readonly string[];
  options: readonly string[];
}

/** The text of a resolv.conf. */
export function resolvConfText({ nameservers, search, options }: ResolverWords): string {
  const lines = [
    ...nameservers.map((server) => `nameserver ${server}`),
    ...(search.length > 0 ? [`search ${search.join(' ')}`] : []),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
  ];
  return `${lines.join('\n')}\n`;
}

/** The same where the engine's name server answers, which asks the others in turn. A container's name has no dot, and is no domain's. */
export function servedByEngine(resolver: ResolverWords): ResolverWords {
  const hasDots = resolver.options.some((option) => option.startsWith('ndots:'));
  const options = hasDots ? resolver.options : [...resolver.options, 'ndots:0'];
  return { ...resolver, nameservers: [NAME_SERVER_ADDRESS], options };
}
