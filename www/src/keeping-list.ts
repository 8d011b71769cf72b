/** Where the writer's words are, as three steps: this device, the others, their storage. */

import { byId, element, setText, svg } from './dom.ts'
import type { Keeping, Stage } from './keeping.ts'

const TICK = 'M4.5 8.3 7 10.8l4.5-5.3'
const DOTS = 'M4.8 8h.1M8 8h.1M11.2 8h.1'
const CROSS = 'M5.5 5.5l5 5m0-5l-5 5'

/** See the module. */
export class KeepingList {
  #root = byId('keeping', HTMLUListElement)
  #summary = byId('rail-summary', HTMLElement)
  #rows = new Map<string, { root: HTMLElement; text: HTMLElement; sign: SVGPathElement }>()

  /** Shows this. */
  update({ stages, short, unsynced }: Keeping): void {
    this.#root.dataset['unsynced'] = String(unsynced)
    for (const stage of stages) {
      const { root, text, sign } = this.#rows.get(stage.id) ?? this.#add(stage)
      root.dataset['state'] = stage.state
      sign.setAttribute('d', signOf(stage))
      setText(text, stage.text)
    }
    setText(this.#summary, short)
  }

  #add({ id }: Stage): { root: HTMLElement; text: HTMLElement; sign: SVGPathElement } {
    const sign = svg('path')
    const mark = svg('svg', { viewBox: '0 0 16 16', class: 'stage-mark', 'aria-hidden': 'true' }, sign)
    const text = element('span', { 'data-testid': `keeping-${id}` })
    const root = element('li', { class: 'stage', 'data-stage': id })
    root.append(mark, text)
    this.#root.append(root)
    const row = { root, text, sign }
    this.#rows.set(id, row)
    return row
  }
}

function signOf({ state }: Stage): string {
  if (state === 'done') return TICK
  if (state === 'failed') return CROSS
  return state === 'open' ? '' : DOTS
}
