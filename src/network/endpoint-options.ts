import { EngineError } from '../errors/engine-error.ts';
import { ENDPOINT_SYSCTLS } from '../text/endpoint-sysctls.ts';

const INTERFACE_OPTION = 'com.docker.network.endpoint.ifname';

/** `net.ipv4.conf.IFNAME.log_martians=1`: the interface's name stands for itself, since it isn't known yet. */
export interface InterfaceSysctl {
  /** In /proc/sys, before and behind the interface. */
  folder: string;
  file: string;
  value: string;
}

/** What a container's options for its endpoint ask of the interface. */
export function endpointOptions(options: Readonly<Record<string, string>>): {
  interfaceName: string | undefined;
  sysctls: string[];
} {
  return {
    interfaceName: options[INTERFACE_OPTION] || undefined,
    sysctls: options[ENDPOINT_SYSCTLS]?.split(',') ?? [],
  };
}

/** What is wrong before there is an interface, in Docker's words. */
export function sysctlFaults(options: Readonly<Record<string, string>>): string[] {
  return endpointOptions(options)
    .sysctls.filter((text) => !isOfInterface(text))
    .map(
      (text) =>
        `unrecognised network interface sysctl '${text}'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'`,
    );
}

/** Five words, of which the last may have dots; clients write the interface in small letters. */
function isOfInterface(text: string): boolean {
  const [top, family = '', , name, file] = text.split('.');
  return (
    top === 'net' &&
    ['ipv4', 'ipv6', 'mpls'].includes(family) &&
    (name === 'IFNAME' || name === 'ifname') &&
    file !== undefined
  );
}

/** @throws EngineError "internal" in Docker's words. */
export function parseInterfaceSysctl(text: string): InterfaceSysctl {
  const at = text.indexOf('=');
  if (at < 0) throw new EngineError('internal', `expected sysctl '${text}' to have format name=value`);
  const words = text.slice(0, at).split('.');
  const [, family = '', kind = '', , file = ''] = words;
  // No word has a dot, so none leads up; a slash would lead down, past the interface.
  if (words.length !== 5 || words.some((word) => word.includes('/') || word === ''))
    throw new EngineError('internal', `expected sysctl '${text}' to have format net.X.Y.IFNAME.Z`);
  return { folder: `/proc/sys/net/${family}/${kind}`, file, value: text.slice(at + 1) };
}

/** Docker's words, where an interface can't have its name. `madeAs`: what it is called on the host. */
export function renameFault(name: string, { madeAs, fault }: { madeAs: string; fault: string }): string {
  return `failed to add interface ${madeAs} to sandbox: error renaming interface ${JSON.stringify(madeAs)} to ${JSON.stringify(name)}: ${fault}`;
}

/** The kernel's rule (dev_valid_name), in its words as Docker tells them. Undefined: it is a name. */
export function interfaceNameFault(name: string): string | undefined {
  if (Buffer.byteLength(name) > 15) return 'numerical result out of range';
  const isName = name !== '' && name !== '.' && name !== '..' && !/[/:%\s\0]/.test(name);
  // The kernel has switches by these names, for all interfaces.
  return isName && name !== 'all' && name !== 'default' ? undefined : 'invalid argument';
}
