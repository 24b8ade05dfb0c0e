export const escaped = (words: string): string => words.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
