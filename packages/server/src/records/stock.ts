import { createLanguage } from '../collections/check.ts'
import type { Collections } from '../collections/collections.ts'
import { checkRules, type Declared } from '../collections/declare.ts'
import type { Database } from '../store/index.ts'
import { type Checked, listRecords, type Order, readRecords, referringRecords } from '../store/records/index.ts'
import { declaredWriter } from './declared.ts'
import { createRoom, type Language, type StockedRoom, type Writers } from './room.ts'
import { sessionWriter } from './sessions.ts'

/** How filters and rules are read. */
export const languageOf = (collections: Collections): Language<Checked, Order> => createLanguage(collections)

export interface StockParts {
  collections: Collections
  language: Language<Checked, Order>
  database: Database
  writers: Pick<Writers, 'users'>
}

/** The room with what is in it, as the store has it. */
export const stock = ({ collections, language, database, writers }: StockParts): StockedRoom<Checked, Order> => ({
  ...createRoom(collections, { sessions: sessionWriter, declared: declaredWriter, ...writers }),
  database,
  language,
  stored: { list: listRecords, read: readRecords, referring: referringRecords },
})

const nobody = { userId: '', superuser: false, auth: { id: '' } }

/** Throws StartRefused with every rule of the file that cannot be read. */
export function refuseRules(file: string, language: Language<Checked, Order>, { collections }: Declared): void {
  checkRules(file, collections, (collection, which) => language.rule(collection, which, nobody, new Date()))
}
