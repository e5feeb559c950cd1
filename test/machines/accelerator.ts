import { run } from '../support/engine/command.ts';

/** What the processors are made of, as qemu's arguments. */
export type Accelerator = readonly string[];

const KVM: Accelerator = ['-accel', 'kvm', '-cpu', 'host'];
const EMULATION: Accelerator = ['-accel', 'tcg,thread=multi', '-cpu', 'max'];

/**
 * KVM where a machine really runs by it. Nested, it may be there and hang: a kernel whose first program ends at once has to come to its
 * end within the limit.
 */
export async function chooseAccelerator(boot: { kernel: string; initramfs: string }): Promise<Accelerator> {
  const { code } = await run(
    // biome-ignore format: one option and its value per pair
    ['qemu-system-x86_64', ...KVM, '-m', '512', '-nodefaults', '-display', 'none', '-no-reboot',
      '-kernel', boot.kernel, '-initrd', boot.initramfs, '-append', 'panic=-1 rdinit=/bin/true'],
    { timeoutMs: 12_000 },
  );
  return code === 0 ? KVM : EMULATION;
}

export const isEmulated = (accelerator: Accelerator): boolean => accelerator === EMULATION;
