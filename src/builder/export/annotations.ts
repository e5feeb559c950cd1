import { EngineError } from '../../errors/engine-error.ts';
import { formatPlatform, type Platform, parsePlatform } from '../../oci/platform.ts';

type AnnotationPlace = 'manifest' | 'index' | 'manifest-descriptor' | 'index-descriptor';

interface Annotation {
  place: AnnotationPlace;
  /** Undefined: of every platform. */
  platform: string | undefined;
  key: string;
  value: string;
}

export type ImageAnnotations = readonly Annotation[];

/**
 * An output's `annotation.key`, `annotation-<place>.key` and `annotation-<place>[<platform>].key`.
 *
 * @throws EngineError "invalid".
 */
export function readAnnotations(attributes: Readonly<Record<string, string>>): ImageAnnotations {
  return Object.entries(attributes).flatMap(([name, value]): Annotation[] => {
    if (!/^annotation[-.[]/.test(name)) return [];
    const [, place = 'manifest', platform, key] =
      /^annotation(?:-([a-z-]+))?(?:\[([A-Za-z0-9_/-]+)\])?\.(.+)$/.exec(name) ?? [];
    if (key === undefined || !isPlace(place))
      throw new EngineError('invalid', `invalid annotation ${JSON.stringify(name)}`);
    if (platform !== undefined && place.startsWith('index'))
      throw new EngineError(
        'invalid',
        `invalid annotation ${JSON.stringify(name)}: an index has no platform`,
      );
    const text = platform === undefined ? undefined : formatPlatform(parsePlatform(platform));
    return [{ place, platform: text, key, value }];
  });
}

function isPlace(text: string): text is AnnotationPlace {
  return ['manifest', 'index', 'manifest-descriptor', 'index-descriptor'].includes(text);
}

/** Those of one place, a platform's own before those of all. Undefined: none. */
export function annotationsAt(
  annotations: ImageAnnotations,
  place: AnnotationPlace,
  platform?: Platform,
): Record<string, string> | undefined {
  const text = platform === undefined ? undefined : formatPlatform(platform);
  const fitting = annotations
    .filter((one) => one.place === place && (one.platform === undefined || one.platform === text))
    .sort((a, b) => Number(a.platform !== undefined) - Number(b.platform !== undefined));
  if (fitting.length === 0) return undefined;
  return Object.fromEntries(fitting.map(({ key, value }) => [key, value]));
}
