import { recordLimits } from '@sluice/schema'
import type { ListQuery } from '../contract.ts'

type Paging = Pick<ListQuery, 'page' | 'perPage' | 'skipTotal'>

const usual = 30

/** What is out of bounds is brought into them. */
const within = ({ page = 1, perPage = usual }: Paging): { page: number; perPage: number } => ({
  page: Math.max(page, 1),
  perPage: perPage < 1 ? usual : Math.min(perPage, recordLimits.page),
})

/** The part of a list that a page is. */
export function pageAsked(paging: Paging): { offset: number; limit: number; count: boolean } {
  const { page, perPage } = within(paging)
  return { offset: (page - 1) * perPage, limit: perPage, count: !paging.skipTotal }
}

/** What a page says of itself. */
export function countsOf(paging: Paging, total: number | undefined): { page: number; perPage: number; totalItems: number; totalPages: number } {
  const { page, perPage } = within(paging)
  if (paging.skipTotal || total === undefined) return { page, perPage, totalItems: -1, totalPages: -1 }
  return { page, perPage, totalItems: total, totalPages: Math.ceil(total / perPage) }
}
