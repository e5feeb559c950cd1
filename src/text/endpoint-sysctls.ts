/** Docker's option of an endpoint for settings of its interface, separated by commas. */
export const ENDPOINT_SYSCTLS = 'com.docker.network.endpoint.sysctls';
