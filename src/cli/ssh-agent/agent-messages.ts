/** Numbers of the agent protocol's messages: https://www.rfc-editor.org/rfc/rfc9987 */
export const AGENT = {
  failure: 5,
  requestIdentities: 11,
  identitiesAnswer: 12,
  signRequest: 13,
  signResponse: 14,
} as const;

/** Of a signature that is asked for: which hash an RSA key signs with. */
export const SIGN_FLAGS = { rsaSha256: 2, rsaSha512: 4 } as const;
