/** LISTEN needs a session, and renewals must not wait for one: behind a pooler, HOLDFAST_LISTEN_URL names the server itself, or is `off`. */
export function listenUrlFor(url: string): string | undefined {
  const direct = process.env['HOLDFAST_LISTEN_URL']
  return direct === 'off' ? undefined : direct || url
}
