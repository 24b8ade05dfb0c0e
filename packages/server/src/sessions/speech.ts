import { limits, type TokenEvent } from '@sluice/schema'

/** What a round says, put together to one text that only ever grows. */
export interface Speech {
  heard(token: TokenEvent): void
  /** The round has come to rest: what it said last, as it is kept; null where that is nothing. */
  ends(kept: string | null): void
}

/**
 * One who reads it piece by piece reads, where nothing went wrong, what is kept in the end. Texts that several steps say come
 * one after another with a blank line between them. What was missed, or not said live at all, is told when the round has come
 * to rest; where another attempt has said something else, the whole, for what was told cannot be taken back.
 */
export function createSpeech(tell: (text: string) => void): Speech {
  /** Or, where that is much, its end. */
  let told = ''
  let isLong = false
  let current = { of: '', attempt: 0, length: 0 }
  let isWhole = true

  const say = (text: string): void => {
    if (text === '') return
    told += text
    if (told.length > 2 * longest) {
      told = told.slice(-longest)
      isLong = true
    }
    tell(text)
  }

  return {
    heard({ nodeId, iteration, attempt, offset, text }) {
      const of = `${nodeId}/${iteration}`
      const at = current.of === of ? current.length : 0
      isWhole &&= offset <= at && (at === 0 || current.attempt === attempt)
      if (!isWhole) return
      const more = text.slice(at - offset)
      say(at === 0 && more !== '' && told !== '' ? `\n\n${more}` : more)
      current = { of, attempt, length: at + more.length }
    },
    ends(kept) {
      if (kept === null) return
      if (!isLong && kept.startsWith(told)) say(kept.slice(told.length))
      else if ((isLong || !endsIn(kept, told)) && !endsIn(told, kept)) say(`\n\n${kept}`)
    },
  }
}

/** What is kept is no longer, with a blank line before it. */
const longest = limits.messageChars + 2

/** Whether the one is the last of the texts that the other is put together of. */
const endsIn = (whole: string, last: string): boolean => whole === last || whole.endsWith(`\n\n${last}`)
