/** On a phone the network lies below the text, as a sheet with a handle. On a wide screen it is always open. */

import { byId } from './dom.ts'

/** Wires the handle. */
export function setUpSheet(): void {
  const handle = byId('rail-handle', HTMLButtonElement)
  const rail = byId('rail', HTMLElement)
  const body = byId('rail-body', HTMLElement)
  const narrow = matchMedia('(max-width: 820px)')
  let open = false

  const apply = (): void => {
    rail.dataset['open'] = String(open)
    handle.setAttribute('aria-expanded', String(open))
    // What can't be seen must not be reached by keyboard or read out either.
    body.inert = narrow.matches && !open
  }
  handle.addEventListener('click', () => {
    open = !open
    apply()
  })
  rail.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || !open || !narrow.matches) return
    open = false
    apply()
    handle.focus()
  })
  narrow.addEventListener('change', apply)
  apply()
}
