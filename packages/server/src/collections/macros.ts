import { instantText } from '../store/records/instants.ts'

const day = 86_400_000

type Macro = (now: Date) => string | number

const utc = (year: number, month: number, date = 1): number => Date.UTC(year, month, date)
const textAt =
  (at: (now: Date) => number): Macro =>
  (now) =>
    instantText(at(now))
const startOfDay = (now: Date): number => utc(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate())

const macros: Readonly<Record<string, Macro>> = {
  '@now': textAt((now) => now.getTime()),
  '@yesterday': textAt((now) => now.getTime() - day),
  '@tomorrow': textAt((now) => now.getTime() + day),
  '@second': (now) => now.getUTCSeconds(),
  '@minute': (now) => now.getUTCMinutes(),
  '@hour': (now) => now.getUTCHours(),
  '@day': (now) => now.getUTCDate(),
  '@month': (now) => now.getUTCMonth() + 1,
  '@weekday': (now) => now.getUTCDay(),
  '@year': (now) => now.getUTCFullYear(),
  '@todayStart': textAt(startOfDay),
  '@todayEnd': textAt((now) => startOfDay(now) + day - 1),
  '@monthStart': textAt((now) => utc(now.getUTCFullYear(), now.getUTCMonth())),
  '@monthEnd': textAt((now) => utc(now.getUTCFullYear(), now.getUTCMonth() + 1) - 1),
  '@yearStart': textAt((now) => utc(now.getUTCFullYear(), 0)),
  '@yearEnd': textAt((now) => utc(now.getUTCFullYear() + 1, 0) - 1),
}

/** What a macro stands for at this moment, in UTC. Undefined: there is none of this name. */
export const macroOf = (name: string, now: Date): string | number | undefined => (Object.hasOwn(macros, name) ? macros[name]!(now) : undefined)
