import { Database } from '../../../store/db.ts'

// The shop's own migration, which comes with its second release.
const db = new Database({ url: process.env['DATABASE_URL'] ?? '', schema: 'holdfast', connections: 1 })
await db.query('alter table invoice drop column if exists old_total')
console.log('alter table invoice drop column old_total')
await db.close()
