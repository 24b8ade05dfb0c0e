import { createClient, type Sluice } from '../client.ts'
import { whoAsks } from './account.ts'

/** A client of the server that the person works with, and where that is. */
export interface Session {
  url: string
  sluice: Sluice
}

/** Somebody waits at the terminal: a server that is away is told of at once, not after all the attempts of a program. */
const retries = 1

export async function openSession(): Promise<Session> {
  const { url, key } = await whoAsks()
  return { url, sluice: createClient({ url, apiKey: key, retries }) }
}
