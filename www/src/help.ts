/**
 * Above the text: that the page is offline, which is no reason to stop writing; or what is wrong, and what to do.
 */

import { byId, element, setText } from './dom.ts'
import type { Keeping } from './keeping.ts'
import type { Finding, NetworkView } from './network.ts'
import type { Status } from './status.ts'

/** See the module. */
export class Help {
  #root = byId('help', HTMLElement)
  #why = byId('help-why', HTMLDetailsElement)
  #shown = ''

  constructor(retry: () => void) {
    byId('help-retry', HTMLButtonElement).addEventListener('click', retry)
  }

  /** Shows or hides itself. */
  update(status: Status, view: NetworkView, keeping: Keeping): void {
    const failed = status.state === 'failed'
    const shown = failed || status.state === 'no-relay' || status.state === 'offline'
    this.#root.hidden = !shown
    byId('status-detail', HTMLElement).hidden = shown // It is said here.
    if (!shown) return
    const key = JSON.stringify([status, view.findings, keeping.unsynced])
    if (key === this.#shown) return
    this.#shown = key
    this.#root.dataset['tone'] = status.tone
    setText(byId('help-title', HTMLElement), title(status, view))
    setText(byId('help-lead', HTMLElement), status.detail)
    // Offline there is nothing to find out.
    const findings = status.state === 'offline' ? [] : view.findings
    this.#why.hidden = findings.length === 0
    if (failed) this.#why.open = true
    byId('help-retry', HTMLElement).hidden = status.state === 'offline'
    byId('help-findings', HTMLElement).replaceChildren(...findings.map(describeFinding))
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

function title({ state }: Status, view: NetworkView): string {
  if (state === 'failed') return 'This browser can’t join the network'
  if (state === 'offline') return 'You’re offline'
  return view.phase === 'no-relay' ? 'This page has no relay' : 'The relay can’t be reached'
}
