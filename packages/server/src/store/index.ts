/** What rooms above may know of the store beside `views/`: its types, and how it says that it is away. */
export { Outage, type Database, type Statement, type Tx } from './database.ts'
