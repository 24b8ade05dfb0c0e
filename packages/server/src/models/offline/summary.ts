import { sentencesOf, tellingWords } from './words.ts'

/** The sentences whose words come most often, in the order in which they stand. PURE. */
export function summaryOf(text: string, most = 3): string | null {
  const sentences = [...new Set(sentencesOf(text))]
  if (sentences.length === 0) return null
  const words = sentences.map((sentence) => new Set(tellingWords(sentence)))
  const counts = new Map<string, number>()
  for (const set of words) for (const word of set) counts.set(word, (counts.get(word) ?? 0) + 1)
  // Per root of its length: neither the longest wins by its length nor a heading by its shortness.
  const weight = (set: ReadonlySet<string>): number => [...set].reduce((sum, word) => sum + counts.get(word)! - 1, 0) / Math.sqrt(set.size + 4)
  const best = words
    .map((set, at) => ({ at, weight: weight(set) }))
    .sort((a, b) => b.weight - a.weight || a.at - b.at)
    .slice(0, most)
  return best
    .sort((a, b) => a.at - b.at)
    .map(({ at }) => sentences[at]!)
    .join(' ')
}
