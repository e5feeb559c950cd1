import type { StaleFlows } from '../host-network.ts';
import { ruleOf } from './port-rules.ts';
import type { PortHolding } from './published-ports.ts';

/**
 * What senders without connections (UDP, SCTP) would go on to be sent to, for as long as they keep their port: the container of a port that
 * is withdrawn; the host itself, where they were sent before there was a rule.
 */
export function staleFlowsOf(verb: 'add' | 'delete', holding: PortHolding): StaleFlows[] {
  const { protocol } = holding;
  const rule = ruleOf(holding);
  if (protocol === 'tcp' || rule === undefined || rule.way === 'routed') return [];
  const { hostAddress, hostPort, address, port } = rule;
  const target = verb === 'delete' ? { address, port } : undefined;
  return [{ protocol, family: address.includes(':') ? 6 : 4, hostAddress, hostPort, target }];
}
