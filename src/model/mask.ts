/** Where a connection string may hide a password: before the `@`, as a parameter, as a keyword. */
const AUTHORITY = /\b(postgres(?:ql)?:\/\/[^\s:@/'"`]*):[^\s'"`]*@/gi
const PARAMETER = /([?&;](?:ssl)?password=)[^\s&'"`]+/gi
const KEYWORD = /\b(password\s*=\s*)(?:'[^']*'|[^\s&'"`]+)/gi

/** The text without the passwords of the connection strings in it. Everything that the CLI writes goes through it. */
export function maskSecrets(text: string): string {
  return text.replace(AUTHORITY, '$1:***@').replace(PARAMETER, '$1***').replace(KEYWORD, '$1***')
}

/** A connection string for people: which server, which database, as whom; nothing else. */
export function describeDatabase(url: string): string {
  try {
    const { protocol, username, password, host, pathname } = new URL(url)
    const user = username === '' ? '' : `${username}${password === '' ? '' : ':***'}@`
    return `${protocol}//${user}${host}${pathname}`
  } catch {
    return maskSecrets(url)
  }
}
