import type { Collection, JsonObject } from '@sluice/schema'

/** Who asks for records, as the rules know them. */
export interface Asker {
  userId: string
  /** No rule holds them. */
  superuser: boolean
  /** The values of their own record of `users`, with its id. */
  auth: JsonObject
  request?: AskerRequest
  /** Whether their permissions let them read the collection at all; absent: nothing is known of them. */
  mayRead?: (collection: Collection) => boolean
}

/** What rules know of a request, as `@request.body.title`. */
export interface AskerRequest {
  method: string
  context: string
  query: JsonObject
  headers: JsonObject
  body: JsonObject
}
