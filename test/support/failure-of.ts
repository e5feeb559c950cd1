/** What a promise rejects with, for `expect(await failureOf(p)).toMatchObject(…)`. Throws when it resolves. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('expected a rejection');
}
