/** Of this client; a test holds it against package.json. */
export const CLIENT_VERSION = '0.1.0';
