import type { TarMember, TarSource } from '../../archive/tar-writer.ts';
import { writeTar } from '../../archive/tar-writer.ts';

/** A member of a test layer in few words; the rest is 0644 or 0755, root's, at a fixed time. */
export type LayerMember = Partial<TarMember> & { path: string; content?: string | Uint8Array };

export const layerTime = 1_700_000_000;

/** The uncompressed tar of a layer. */
export async function layerTar(members: readonly LayerMember[]): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeTar(members.map(sourceOf))) chunks.push(Uint8Array.from(chunk));
  return Buffer.concat(chunks);
}

function sourceOf({ content, ...member }: LayerMember): TarSource {
  const data = typeof content === 'string' ? Buffer.from(content) : content;
  const type = member.type ?? 'file';
  const entry: TarMember = {
    mode: type === 'directory' ? 0o755 : 0o644,
    mtimeSeconds: layerTime,
    ...member,
    type,
    size: data?.length ?? 0,
  };
  return { entry, data: data === undefined ? undefined : [data] };
}

export const dir = (path: string, more: Partial<TarMember> = {}): LayerMember => ({
  path,
  type: 'directory',
  ...more,
});
export const file = (
  path: string,
  content: string | Uint8Array,
  more: Partial<TarMember> = {},
): LayerMember => ({
  path,
  content,
  ...more,
});
export const link = (path: string, linkTarget: string): LayerMember => ({
  path,
  type: 'hardlink',
  linkTarget,
});
export const symlink = (path: string, linkTarget: string): LayerMember => ({
  path,
  type: 'symlink',
  mode: 0o777,
  linkTarget,
});
export const whiteout = (path: string): LayerMember => {
  const slash = path.lastIndexOf('/') + 1;
  return { path: `${path.slice(0, slash)}.wh.${path.slice(slash)}`, mode: 0 };
};
export const opaque = (path: string): LayerMember => ({ path: `${path}/.wh..wh..opq`, mode: 0 });
