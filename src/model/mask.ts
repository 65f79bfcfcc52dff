/** Where a connection string may hide a password: before the `@`, as a parameter, as a keyword. */
const AUTHORITY = /\b((?:postgres(?:ql)?|rediss?|amqps?):\/\/[^\s:@/'"`]*):[^\s'"`]*@/gi
const PARAMETER = /([?&;](?:ssl)?password=)[^\s&'"`]+/gi
const KEYWORD = /\b(password\s*=\s*)(?:'[^']*'|[^\s&'"`]+)/gi

/** The text without the passwords of the connection strings in it. Everything that the CLI writes goes through it. */
export function maskSecrets(text: string): string {
  return text.replace(AUTHORITY, '$1:***@').replace(PARAMETER, '$1***').replace(KEYWORD, '$1***')
}

const SECRET_KEY =
  /pass(?:word|wd|phrase)|secret|token|authorization|cookie|credential|api[-_]?key|private[-_]?key|^pwd$|^ssn$/i

/** Whether a value under this key is nobody's to read in a log that is kept. */
export function isSecretKey(key: string): boolean {
  return SECRET_KEY.test(key)
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
