/** Where containers look for names; countless configurations name it. */
export const NAME_SERVER_ADDRESS = '127.0.0.11';

/**
 * Inside a container's namespace. Port 53 itself stays free there: name servers run in containers, too, and bind it on all addresses.
 * The address is the loopback's, so no packet leaves the namespace.
 */
export function redirectRules({ udp, tcp }: { udp: number; tcp: number }): string {
  return `table ip sampan_names
delete table ip sampan_names
table ip sampan_names {
  chain output {
    type nat hook output priority -100; policy accept;
    ip daddr ${NAME_SERVER_ADDRESS} udp dport 53 dnat to ${NAME_SERVER_ADDRESS}:${udp}
    ip daddr ${NAME_SERVER_ADDRESS} tcp dport 53 dnat to ${NAME_SERVER_ADDRESS}:${tcp}
  }
}
`;
}
