/** What is wrong and what to do, above the text, while something is wrong. */

import { byId, element, setText } from './dom.ts'
import type { Finding, NetworkView } from './network.ts'
import type { Status } from './status.ts'

/** See the module. */
export class Help {
  #root = byId('help', HTMLElement)
  #shown = ''

  constructor(retry: () => void) {
    byId('help-retry', HTMLButtonElement).addEventListener('click', retry)
  }

  /** Shows or hides itself. */
  update(status: Status, view: NetworkView): void {
    const wrong = status.state === 'no-relay' || status.state === 'failed'
    this.#root.hidden = !wrong
    if (!wrong) return
    const key = JSON.stringify([status, view.findings])
    if (key === this.#shown) return
    this.#shown = key
    setText(byId('help-title', HTMLElement), title(view))
    setText(byId('help-lead', HTMLElement), status.detail)
    byId('help-findings', HTMLElement).replaceChildren(...view.findings.map(describeFinding))
  }
}

/** A finding as a list item. */
export function describeFinding(finding: Finding): HTMLLIElement {
  const item = element('li', { 'data-code': finding.code }, element('p', {}, sentence(finding.message)))
  if (finding.hint !== '') item.append(element('p', { class: 'hint' }, sentence(finding.hint)))
  return item
}

/** Findings come as clauses, like all messages of programs; here people read them. */
function sentence(clause: string): string {
  return clause.charAt(0).toUpperCase() + clause.slice(1) + (/[.!?]$/.test(clause) ? '' : '.')
}

function title(view: NetworkView): string {
  if (view.phase === 'failed') return 'This browser can’t join the network'
  return view.phase === 'no-relay' ? 'This page has no relay' : 'The relay can’t be reached'
}
