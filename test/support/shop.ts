import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'

/** What the shop of `examples/workflows` is asked to do, and to take back. */
const places = {
  '/reservations': 'reserve',
  '/charges': 'charge',
  '/parcels': 'parcel',
  '/mails': 'mail',
  '/parcels/recall': 'recall',
  '/charges/refund': 'refund',
  '/reservations/release': 'release',
} as const
export type Place = (typeof places)[keyof typeof places]
export type Effect = 'reserve' | 'charge' | 'parcel' | 'mail'

const takenBack = { recall: 'parcel', refund: 'charge', release: 'reserve' } as const
const isUndoing = (place: Place): place is keyof typeof takenBack => place in takenBack

/**
 * How a request is met: refused with 4xx; broken off with 503, not done, or done and lost; never answered, not done, or done, or
 * done when the caller has gone.
 */
export type Manner = 'works' | 'refuses' | 'breaks' | 'loses' | 'hangs' | 'swallows' | 'lags'
/** One manner for all requests at a place, or those of the first ones: then it works. */
export type Manners = Partial<Record<Place, Manner | readonly Manner[]>>

/** The moment at which a server is killed: before the nth request at a place is met, or when it was, and nobody has heard of it. */
export interface Point {
  place: Place
  nth: number
  when: 'before' | 'after'
}

/** What the shop knows of one order, which it tells from others by the order's name, not by keys. */
export interface Account {
  /** Every request that came, in their order. */
  calls: Place[]
  /** By the keys it was sent. */
  runId: string | null
  /** How often each was done and not taken back. */
  balance(): Record<Effect, number>
  /** What no service should see. */
  faults: string[]
  /** The run stands at its point, and goes no further. */
  reached: Promise<void>
  isReached(): boolean
  /** Hears of every request when it has been met with success. */
  done: (place: Place) => void
  /** Hears of every request when it comes. */
  came: (place: Place) => void
  /** Answers what was held back behind its point. */
  answer(): void
}

export interface Shop {
  url: string
  open(name: string, manners?: Manners, point?: Point): Account
  close(): Promise<void>
}

interface Done {
  effect: Effect
  account: Book
  id: string
  state: 'done' | 'taken back' | 'void'
}

interface Book extends Account {
  name: string
  manners: Manners
  point: Point | undefined
  met: Partial<Record<Place, number>>
  reach(): void
}

/** How long after its caller has gone a lagging request is done. */
const lagMs = 300

/**
 * The services of a shop in one, with a ledger. A key that comes again is answered as before and nothing is done twice; what is taken back before
 * it has arrived will not be done any more. Orders are told apart by what is in them, so that a wrong key shows.
 */
export async function shop(): Promise<Shop> {
  const books = new Map<string, Book>()
  const byRun = new Map<string, Book>()
  const doings = new Map<string, Done>()
  const answers = new Map<string, object>()

  const server = createServer((request, response) => {
    void serve(request, response).catch(() => response.destroy())
  })
  server.keepAliveTimeout = 60_000

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const place = places[request.url as keyof typeof places]
    const key = String(request.headers['idempotency-key'])
    const body = (await json(request)) as Asked
    const book = books.get(nameIn(body) ?? '') ?? byRun.get(runOf(key))
    if (!book) throw new Error(`nobody ordered ${JSON.stringify(body)}`)
    book.runId ??= runOf(key)
    byRun.set(runOf(key), book)
    book.calls.push(place)
    book.came(place)
    const nth = book.calls.filter((each) => each === place).length
    const { point } = book
    const isThere = point?.place === place && nth >= point.nth
    // One that is called again while others are on their way to their points, stays there.
    if (isThere && point.when === 'before') return book.reach()
    meet(book, place, key, body, response, isThere)
  }

  function meet(book: Book, place: Place, key: string, body: Asked, response: ServerResponse, isThere: boolean): void {
    const say = (status: number, said: object): void => {
      const send = (): void => {
        if (response.destroyed) return
        if (status === 200) book.done(place)
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(said))
      }
      if (!isThere) return send()
      const before = book.answer
      book.answer = () => (before(), send())
      book.reach()
    }
    switch (mannerOf(book, place)) {
      case 'works': {
        const came = enact(book, place, key, body)
        return say(came ? 200 : 409, came ?? { error: 'taken back before it came' })
      }
      case 'refuses':
        return say(422, { error: 'refused' })
      case 'breaks':
        return say(503, { error: 'broken' })
      case 'loses':
        enact(book, place, key, body)
        return say(503, { error: 'lost' })
      case 'hangs':
        return void (isThere && book.reach())
      case 'swallows':
        enact(book, place, key, body)
        return void (isThere && book.reach())
      case 'lags':
        response.on('close', () => void setTimeout(() => enact(book, place, key, body), lagMs))
        return void (isThere && book.reach())
    }
  }

  function mannerOf({ manners, met }: Book, place: Place): Manner {
    const manner = manners[place] ?? 'works'
    const before = met[place] ?? 0
    met[place] = before + 1
    return typeof manner === 'string' ? manner : (manner[before] ?? 'works')
  }

  /** Null: it was taken back before it came. */
  function enact(book: Book, place: Place, key: string, body: Asked): object | null {
    const known = answers.get(key)
    if (known) return known
    const answer = isUndoing(place) ? takeBack(book, takenBack[place], key, body) : carryOut(book, place, key)
    if (answer) answers.set(key, answer)
    return answer
  }

  function carryOut(account: Book, effect: Effect, key: string): object | null {
    const before = doings.get(key)
    if (before?.state === 'void') return null
    const id = `${effect}_${doings.size}`
    doings.set(key, { effect, account, id, state: 'done' })
    return { reserve: { reservation: id }, charge: { charge: id }, parcel: {}, mail: {} }[effect]
  }

  function takeBack(account: Book, effect: Effect, key: string, { step = '', ...left }: Asked): object {
    const named = left.reservation ?? left.charge
    const doing = doings.get(step)
    if (key !== `${step}/undo`) account.faults.push(`${effect} of ${step} taken back under the key ${key}`)
    if (!doing) doings.set(step, { effect, account, id: '', state: 'void' })
    else if (doing.state !== 'done') account.faults.push(`${effect} taken back twice: ${step} by ${key}`)
    else if (doing.account !== account || doing.effect !== effect || (named !== undefined && named !== doing.id)) account.faults.push(`${key} takes ${doing.id} of another back`)
    else doing.state = 'taken back'
    return {}
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    open(name, manners = {}, point) {
      const { promise: reached, resolve } = Promise.withResolvers<void>()
      let isReached = false
      const book: Book = {
        ...{ name, manners, point, met: {}, calls: [], runId: null, faults: [], reached },
        isReached: () => isReached,
        reach: () => ((isReached = true), resolve()),
        balance: () => balanceOf([...doings.values()].filter((each) => each.account === book && each.state === 'done')),
        done: () => {},
        came: () => {},
        answer: () => (book.point = undefined),
      }
      books.set(name, book)
      return book
    },
    close: () => new Promise((resolve) => void server.close(() => resolve()).closeAllConnections()),
  }
}

interface Asked {
  items?: { sku: string }[]
  customer?: string
  order?: string
  step?: string
  reservation?: string
  charge?: string
}

const nameIn = ({ items, customer, order }: Asked): string | undefined => items?.[0]?.sku ?? customer ?? order
const runOf = (key: string): string => key.split('/')[0]!

function balanceOf(open: readonly Done[]): Record<Effect, number> {
  const balance = { reserve: 0, charge: 0, parcel: 0, mail: 0 }
  for (const { effect } of open) balance[effect]++
  return balance
}

/** An order that the shop knows by this name. */
export const orderNamed = (name: string) => ({ id: name, customer: name, items: [{ sku: name, quantity: 2, price: 12 }] })
