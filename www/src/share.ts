/** The share dialog: the link, ways to send it, and what having it means. */

import { byId, setText, svg } from './dom.ts'

/** Milliseconds "Copied" stays on the button. */
const COPIED_MS = 1_800

/**
 * Wires the dialog of index.html. The link to send is the address itself, with the relay it was given, if any: the
 * other side needs the same.
 */
export function setUpShare(): void {
  const dialog = byId('share-dialog', HTMLDialogElement)
  const link = byId('share-link', HTMLInputElement)
  const send = byId('share-send', HTMLButtonElement)
  link.value = location.href

  byId('share', HTMLButtonElement).addEventListener('click', () => {
    link.value = location.href
    dialog.showModal()
    void drawQr(link.value)
  })
  byId('share-close', HTMLButtonElement).addEventListener('click', () => dialog.close())
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close() // The backdrop.
  })
  link.addEventListener('focus', () => link.select())
  for (const id of ['share-copy', 'invite-copy']) {
    const button = byId(id, HTMLButtonElement)
    button.addEventListener('click', () => void copy(button, link))
  }

  send.hidden = typeof navigator.share !== 'function'
  send.addEventListener('click', () => {
    // Rejects when the person closes the sheet, which is fine.
    navigator.share({ title: 'Write with me', url: link.value }).catch(() => undefined)
  })
}

async function copy(button: HTMLButtonElement, link: HTMLInputElement): Promise<void> {
  const label = button.textContent
  if (button.dataset['busy'] === 'true') return
  button.dataset['busy'] = 'true'
  const copied = await writeClipboard(link)
  setText(button, copied ? 'Copied' : 'Press Ctrl+C')
  setTimeout(() => {
    setText(button, label)
    button.dataset['busy'] = 'false'
  }, COPIED_MS)
}

/** The clipboard needs a secure context; over plain HTTP in a local network the old way still works. */
async function writeClipboard(link: HTMLInputElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(link.value)
    return true
  } catch {
    const area = document.createElement('textarea')
    area.value = link.value
    area.className = 'offscreen'
    const host = document.querySelector('dialog[open]') ?? document.body
    host.append(area)
    area.select()
    const copied = document.execCommand('copy')
    area.remove()
    return copied
  }
}

let drawn = ''

async function drawQr(content: string): Promise<void> {
  if (content === drawn) return
  const { encodeQr } = await import('./qr.ts')
  const modules = encodeQr(content)
  const figure = byId('share-qr', HTMLElement)
  figure.hidden = modules === undefined
  if (modules === undefined) return
  const dark = modules.flatMap((row, y) => row.flatMap((isDark, x) => (isDark ? `M${x} ${y}h1v1h-1z` : [])))
  figure.replaceChildren(
    svg(
      'svg',
      {
        viewBox: `-3 -3 ${modules.length + 6} ${modules.length + 6}`,
        role: 'img',
        'aria-label': 'The link as a QR code',
        'shape-rendering': 'crispEdges',
      },
      svg('path', { d: dark.join('') }),
    ),
  )
  drawn = content
}
