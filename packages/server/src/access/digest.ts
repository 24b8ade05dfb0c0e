import { hash, randomBytes } from 'node:crypto'

/** 256 bits at random, 43 characters of base64url: nothing to guess. */
export const randomToken = (): string => randomBytes(32).toString('base64url')

/** What is kept of a random token. Plain SHA-256 will do, because there is nothing to guess. */
export const digest = (token: string): Buffer => hash('sha256', token, 'buffer')

/** The same as text, to know a token again by: in half the time, and without keeping it. */
export const digestText = (token: string): string => hash('sha256', token, 'base64url')

export const isRandomToken = (text: string): boolean => /^[A-Za-z0-9_-]{43}$/.test(text)
