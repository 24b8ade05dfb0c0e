/** A gate, and the water that goes under it. */
export const mark =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#0b6a8c"/><path d="M9 6v20M23 6v20" stroke="#fff" stroke-width="3" stroke-linecap="round"/><path d="M9 7h14v8H9z" fill="#fff"/><path d="M12 22.5q2-2.5 4 0t4 0" stroke="#9fdcf0" stroke-width="2.5" stroke-linecap="round" fill="none"/></svg>'

/** The same in an address, as a page's icon: nothing is asked for. */
export const icon = `data:image/svg+xml,${encodeURIComponent(mark)}`
