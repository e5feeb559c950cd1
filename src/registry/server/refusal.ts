/** The error codes of the distribution specification, and what the registry project adds to them. */
export type RegistryErrorCode =
  | 'BLOB_UNKNOWN'
  | 'BLOB_UPLOAD_INVALID'
  | 'BLOB_UPLOAD_UNKNOWN'
  | 'DENIED'
  | 'DIGEST_INVALID'
  | 'MANIFEST_BLOB_UNKNOWN'
  | 'MANIFEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'PAGINATION_NUMBER_INVALID'
  | 'SIZE_INVALID'
  | 'TAG_INVALID'
  | 'TOOMANYREQUESTS'
  | 'UNAUTHORIZED'
  | 'UNAVAILABLE'
  | 'UNKNOWN'
  | 'UNSUPPORTED';

/** A request that the registry answers with an error document. */
export class RegistryRefusal extends Error {
  readonly status: number;
  readonly code: RegistryErrorCode;
  readonly detail: unknown;
  readonly headers: Record<string, string>;

  constructor(
    status: number,
    code: RegistryErrorCode,
    message: string,
    extra: { detail?: unknown; headers?: Record<string, string> } = {},
  ) {
    super(message);
    this.name = 'RegistryRefusal';
    this.status = status;
    this.code = code;
    this.detail = extra.detail;
    this.headers = extra.headers ?? {};
  }

  static notFound(): RegistryRefusal {
    return new RegistryRefusal(404, 'UNSUPPORTED', 'page not found');
  }

  static method(allowed: string): RegistryRefusal {
    return new RegistryRefusal(405, 'UNSUPPORTED', 'The operation is unsupported.', {
      headers: { allow: allowed },
    });
  }

  toResponse(): Response {
    const entry = {
      code: this.code,
      message: this.message,
      ...(this.detail === undefined ? {} : { detail: this.detail }),
    };
    return new Response(`${JSON.stringify({ errors: [entry] })}\n`, {
      status: this.status,
      headers: { 'content-type': 'application/json; charset=utf-8', ...this.headers },
    });
  }
}
