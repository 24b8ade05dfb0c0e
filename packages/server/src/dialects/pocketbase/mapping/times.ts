import type { Json } from '@sluice/schema'

/** `2026-01-31T12:00:00.000Z` as PocketBase writes it: `2026-01-31 12:00:00.000Z`. None is empty. */
export const writtenInstant = (instant: Json | undefined): string => (typeof instant === 'string' ? instant.replace('T', ' ') : '')
