/** One volume of `GET /volumes`, and `GET /volumes/{name}`. */
export interface VolumeInspect {
  CreatedAt: string;
  Driver: string;
  Labels: Record<string, string> | null;
  Mountpoint: string;
  Name: string;
  Options: Record<string, string> | null;
  Scope: string;
  /** What the driver tells. Left out where there is nothing. */
  Status?: Record<string, string>;
}

export interface VolumeListResponse {
  Volumes: VolumeInspect[];
  Warnings: string[] | null;
}

export interface VolumePruneResponse {
  VolumesDeleted: string[];
  SpaceReclaimed: number;
}
