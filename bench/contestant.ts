/** What keeps so many of something in flight: whenever one ends, the next begins. */
export interface Load {
  /** The milliseconds of each one that ended since this was asked last. Throws what one of them failed with. */
  take(): Promise<number[]>
  /** Begins no more, and answers when those in flight have ended. */
  stop(): Promise<void>
}

/** A contestant on its own database, ready. */
export interface Opened {
  load(inFlight: number): Promise<Load>
  close(): Promise<void>
}

export type Open = (databaseUrl: string) => Promise<Opened>

/** Who does the same as the others of a measurement. */
export interface Contestant {
  /** One line for the page. */
  about: string
  /** Read by the process that runs it alone: nobody pays for the code of the others. */
  read(): Promise<{ open: Open }>
}

/** In the order of the tables. */
export type Contestants = Record<string, Contestant>
