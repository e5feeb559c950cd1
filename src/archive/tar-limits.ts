/** What a hostile archive may cost, checked before memory is taken. */
export interface TarLimits {
  /** Members in one archive. */
  entries: number;
  /** Bytes of a path or link target (PATH_MAX less the NUL). */
  pathBytes: number;
  /** Bytes of one pax header or GNU long name, as in Go's archive/tar, and of all xattrs of a member. */
  metadataBytes: number;
  /** Bytes of one extended attribute (XATTR_SIZE_MAX). */
  xattrBytes: number;
  /** Names of a member's extended attributes, with their NULs (XATTR_LIST_MAX). */
  xattrListBytes: number;
  /** Memory of all extended attributes in one archive; sets that members share count once. */
  allXattrBytes: number;
  /** Bytes of one member, expanded. */
  fileBytes: number;
  /** Data segments of one sparse member. */
  sparseSegments: number;
}

export const defaultTarLimits: TarLimits = {
  entries: 10_000_000,
  pathBytes: 4095,
  metadataBytes: 1 << 20,
  xattrBytes: 65_536,
  xattrListBytes: 65_536,
  allXattrBytes: 256 << 20,
  fileBytes: 2 ** 53 - 1024,
  sparseSegments: 1 << 18,
};
