// Draw: a drawing becomes the picture that a net was trained on, and the net answers while you draw, all in this page.
// The first half is arithmetic, the same as in draw.ipynb; tests run it in node. The second half is the page.

// ---- arithmetic ----

// Strokes are lists of points [x, y], 0 to 1 across the pad. Left, top, right and bottom of all points.
export function bounds(strokes) {
  const xs = strokes.flat().map(p => p[0]), ys = strokes.flat().map(p => p[1])
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)]
}

// How far the point (x, y) is from the line between a and b.
function distance(x, y, [ax, ay], [bx, by]) {
  const dx = bx - ax, dy = by - ay, n = dx*dx + dy*dy
  const t = n > 0 ? Math.min(Math.max(((x - ax)*dx + (y - ay)*dy)/n, 0), 1) : 0
  return Math.hypot(x - ax - t*dx, y - ay - t*dy)
}

const empty = (w, h) => ({w, h, data: new Float64Array(w*h)})

// The drawing as a picture that it just fills, `fine` pixels on its longer side; the line is `pen` of that side wide, however large the
// drawing was. 0 is paper, 1 is ink, edges are between. A mere dot gives an empty picture.
export function ink(strokes, pen, fine) {
  if (!strokes.length) return empty(1, 1)
  const [left, top, right, bottom] = bounds(strokes), extent = Math.max(right - left, bottom - top)
  if (extent < .03) return empty(1, 1)
  const r = pen*fine/2, scale = (fine - 2*r)/extent
  const pic = empty(...[right - left, bottom - top].map(v => Math.max(1, Math.floor(v*scale + 2*r + .5))))
  for (const s of strokes) {
    const pts = s.map(([x, y]) => [(x - left)*scale + r, (y - top)*scale + r])
    for (let k = 0; k < Math.max(1, pts.length - 1); k++) stamp(pic, pts[k], pts[Math.min(k + 1, pts.length - 1)], r)
  }
  return pic
}

function stamp({w, h, data}, a, b, r) {
  const x1 = Math.min(w - 1, Math.ceil(Math.max(a[0], b[0]) + r)), y1 = Math.min(h - 1, Math.ceil(Math.max(a[1], b[1]) + r))
  for (let y = Math.max(0, Math.floor(Math.min(a[1], b[1]) - r) - 1); y <= y1; y++)
    for (let x = Math.max(0, Math.floor(Math.min(a[0], b[0]) - r) - 1); x <= x1; x++) {
      const v = Math.min(Math.max(r + .5 - distance(x + .5, y + .5, a, b), 0), 1)
      if (v > data[y*w + x]) data[y*w + x] = v
    }
}

// For each of `m` new pixels the old ones that it covers, out of `n` from `start` on: [[index, share], …]
function covers(start, n, m) {
  return Array.from({length: m}, (_, o) => {
    const lo = o*n/m, hi = (o + 1)*n/m, list = []
    for (let i = Math.floor(lo); i < Math.min(n, Math.ceil(hi)); i++) list.push([start + i, (Math.min(hi, i + 1) - Math.max(lo, i))*m/n])
    return list
  })
}

// As MNIST's makers did: cut out the ink, bring its longer side to `box` pixels, each new pixel the mean of what it covers, and put it into
// side × side pixels, its centre of mass in the pixel below and to the right of the middle.
export function centre({w, h, data}, box, side) {
  const out = empty(side, side), faint = .1*data.reduce((a, b) => Math.max(a, b), 0)
  let x0 = w, x1 = -1, y0 = h, y1 = -1
  for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) if (data[y*w + x] > faint) {
    x0 = Math.min(x0, x); x1 = Math.max(x1, x); y0 = Math.min(y0, y); y1 = y
  }
  if (x1 < 0) return out
  const bw = x1 - x0 + 1, bh = y1 - y0 + 1, k = box/Math.max(bw, bh)
  const [nw, nh] = [bw, bh].map(v => Math.max(1, Math.floor(v*k + .5)))
  const rows = covers(y0, bh, nh), cols = covers(x0, bw, nw), small = empty(nw, nh)
  let mass = 0, mx = 0, my = 0
  for (let i = 0; i < nh; i++) for (let j = 0; j < nw; j++) {
    let v = 0
    for (const [y, a] of rows[i]) for (const [x, b] of cols[j]) v += a*b*data[y*w + x]
    small.data[i*nw + j] = v
    mass += v; mx += v*(j + .5); my += v*(i + .5)
  }
  const [left, top] = [[mx, nw], [my, nh]].map(([m, n]) => Math.min(Math.max(Math.ceil(side/2 - m/mass - 1e-6), 0), side - n))
  for (let i = 0; i < nh; i++) for (let j = 0; j < nw; j++) out.data[(top + i)*side + left + j] = small.data[i*nw + j]
  return out
}

// Strokes to the net's picture, values 0 to 1. `placing`: side, box, pen.
export const prepare = (strokes, {side, box, pen, fine = 5}) => centre(ink(strokes, pen, fine*box), box, side)

// ---- the page ----

const here = typeof document === 'undefined' ? null : new URL('.', import.meta.url)
const file = name => new URL(name, here).href
const percent = p => p > .995 ? 'more than 99 %' : p < .005 ? 'less than 1 %' : `${Math.round(100*p)} %`

async function fetched(name, note) {
  const answer = await fetch(file(name))
  if (!answer.ok) throw Error(`${name}: the server says ${answer.status}`)
  if (!note || !answer.body) return new Uint8Array(await answer.arrayBuffer())
  const parts = [], reader = answer.body.getReader()
  for (let n = 0;;) {
    const {done, value} = await reader.read()
    if (done) return new Uint8Array(await new Blob(parts).arrayBuffer())
    parts.push(value)
    note(n += value.length)
  }
}

let models, runtime
const allModels = () => models ??= fetched('models.json').then(b => JSON.parse(new TextDecoder().decode(b))).catch(e => { models = undefined; throw e })

// ONNX Runtime, once for all cards.
function theRuntime(note) {
  return runtime ??= (async () => {
    const {runtime: r} = await allModels(), ort = await import(file(r.module))
    ort.env.wasm.numThreads = 1
    ort.env.wasm.wasmBinary = await fetched(r.wasm, n => note(`Fetching the runtime, ${(n/1e6).toFixed(0)} of ${(r.bytes/1e6).toFixed(0)} MB …`))
    return ort
  })().catch(e => { runtime = undefined; throw e })
}

class Card {
  constructor(el) {
    const one = s => el.querySelector(s)
    Object.assign(this, {el, pad: one('.draw-pad'), seen: one('.draw-seen'), big: one('.draw-answer'), status: one('.draw-status'), facts: one('.draw-facts'),
      bars: [...el.querySelectorAll('.draw-bars li')], kind: el.dataset.draw, strokes: [], version: 0, pen: null, showing: 0})
    this.start()
  }

  say(text) { if (this.status.textContent !== text) this.status.textContent = text }
  state(name) { this.el.dataset.state = name }

  async start() {
    const all = await allModels().catch(() => null), net = this.net = all?.models?.[this.kind], {el, pad} = this
    if (!net) return this.state('no-nets') // the text that is there says what to do
    if (net.facts) this.facts.textContent = net.facts
    Object.assign(this.seen, {width: net.side, height: net.side})
    pad.addEventListener('pointerdown', e => this.down(e))
    pad.addEventListener('pointermove', e => this.move(e))
    for (const name of ['pointerup', 'pointercancel', 'lostpointercapture']) pad.addEventListener(name, e => this.up(e))
    for (const name of ['pointerenter', 'pointerdown', 'focusin']) el.addEventListener(name, () => this.load(), {passive: true})
    for (const b of el.querySelectorAll('button[data-do]')) { b.disabled = false; b.addEventListener('click', () => this[b.dataset.do](b)) }
    new ResizeObserver(() => this.paint()).observe(pad)
    const looks = new MutationObserver(() => this.paint()) // light to dark, dark to light
    for (const o of [document.documentElement, document.body]) looks.observe(o, {attributes: true, attributeFilter: ['data-theme', 'class']})
    this.state('idle')
    this.say(this.hint = this.status.dataset.hint)
    this.changed()
  }

  // The net, when somebody comes near.
  load() {
    return this.loading ??= (async () => {
      try {
        this.state('loading')
        this.say('Fetching the net …')
        const [ort, net] = await Promise.all([theRuntime(t => this.say(t)), fetched(this.net.file)])
        this.ort = ort
        this.session = await ort.InferenceSession.create(net)
        this.state('ready')
        this.say(this.hint)
        this.ask()
      } catch (e) {
        this.loading = undefined
        this.state('error')
        this.say(`The net could not be loaded (${e.message ?? e}). Touch the pad to try again.`)
      }
    })()
  }

  // -- drawing --
  place(e) {
    const r = this.pad.getBoundingClientRect()
    return [(e.clientX - r.left)/r.width, (e.clientY - r.top)/r.height]
  }
  down(e) {
    if (e.button > 0 || this.pen !== null) return
    e.preventDefault()
    this.showing++
    this.pen = e.pointerId
    try { this.pad.setPointerCapture(e.pointerId) } catch { /* a pointer that a script made up */ }
    this.strokes.push([this.place(e)])
    this.changed()
  }
  move(e) {
    if (e.pointerId !== this.pen) return
    const s = this.strokes.at(-1), all = e.getCoalescedEvents?.() ?? []
    for (const o of all.length ? all : [e]) {
      const p = this.place(o), q = s.at(-1)
      if (Math.hypot(p[0] - q[0], p[1] - q[1]) > .004) s.push(p)
    }
    this.changed()
  }
  up(e) {
    if (e.pointerId !== this.pen) return
    this.pen = null
    this.changed()
  }

  // -- buttons --
  clear() { this.pen = null; this.showing++; this.strokes = []; this.changed() }
  undo() { this.pen = null; this.showing++; this.strokes.pop(); this.changed() }
  async demo(button) {
    this.pen = null
    const labels = this.net.labels, mine = ++this.showing, frame = () => new Promise(requestAnimationFrame)
    this.next = ((this.next ?? Math.floor(Math.random()*labels.length)) + 1) % labels.length
    this.load()
    this.strokes = []
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches
    for (const s of shaken(this.net.strokes[labels[this.next]])) {
      this.strokes.push([])
      for (const p of s) {
        this.strokes.at(-1).push(p)
        if (!still) { this.changed(); await frame() }
        if (mine !== this.showing) return
      }
    }
    this.changed()
  }

  // -- what is seen --
  changed() {
    this.version++
    this.el.dataset.version = this.version
    if (this.due) return
    this.due = requestAnimationFrame(() => { this.due = null; this.paint(); this.look(); this.ask() })
  }

  paint() {
    const {pad} = this, side = Math.round(pad.clientWidth*devicePixelRatio)
    if (!side) return
    if (pad.width !== side) pad.width = pad.height = side
    const c = pad.getContext('2d'), style = getComputedStyle(pad)
    c.clearRect(0, 0, side, side)
    Object.assign(c, {lineCap: 'round', lineJoin: 'round', lineWidth: side*this.net.pad_pen, strokeStyle: style.color})
    for (const s of this.strokes) {
      c.beginPath()
      c.moveTo(s[0]?.[0]*side, s[0]?.[1]*side)
      for (const [x, y] of s) c.lineTo(x*side, y*side)
      c.stroke()
    }
  }

  look() {
    this.picture = prepare(this.strokes, this.net)
    this.seeing = this.version
    const {w, h, data} = this.picture, c = this.seen.getContext('2d'), im = c.createImageData(w, h)
    data.forEach((v, i) => im.data.set([255*v, 255*v, 255*v, 255], 4*i))
    c.putImageData(im, 0, 0)
  }

  // One question at a time; what changed meanwhile is asked next.
  async ask() {
    if (!this.session || this.busy || !this.picture) return
    this.busy = true
    try {
      for (let asked = -1; asked !== this.seeing;) {
        asked = this.seeing
        const {side} = this.net, blank = !this.picture.data.some(v => v > 0)
        const images = new this.ort.Tensor('float32', Float32Array.from(this.picture.data), [1, 1, side, side])
        const probs = blank ? null : (await this.session.run({images})).probs.data
        if (asked === this.seeing || this.strokes.length) this.answer(probs, asked) // a slow answer is better than none while the pen moves
      }
    } catch (e) { this.state('error'); this.say(`The net could not be run: ${e.message ?? e}`) }
    this.busy = false
  }

  answer(probs, asked) {
    const {labels, names = {}} = this.net, order = probs && [...probs.keys()].sort((a, b) => probs[b] - probs[a]), [i, j] = order ?? []
    this.bars.forEach((li, k) => {
      const p = probs?.[k] ?? 0
      li.style.setProperty('--p', p)
      li.classList.toggle('best', k === i)
      li.querySelector('em').textContent = p < .005 ? '' : `${Math.round(100*p)}`
    })
    this.big.textContent = probs ? labels[i] : ''
    Object.assign(this.el.dataset, {answered: asked, answer: probs ? labels[i] : '', probability: probs ? probs[i].toFixed(4) : ''})
    if (this.pen !== null) return // a voice should not talk while you draw
    const named = k => labels[k] + (names[labels[k]] ? ` (${names[labels[k]]})` : '')
    if (!probs) this.say(this.strokes.length ? 'A little more, please.' : this.hint)
    else if (probs[i] > .6) this.say(`The net reads ${named(i)}: ${percent(probs[i])}.`)
    else this.say(`The net is not sure: ${named(i)}, ${percent(probs[i])}, or ${named(j)}, ${percent(probs[j])}?`)
  }
}

// Strokes as by another hand: a little wider or narrower, leaning, larger or smaller.
function shaken(strokes) {
  const r = a => a*(2*Math.random() - 1), [a, b, c, d] = [1 + r(.12), r(.12), r(.06), 1 + r(.08)], size = .62 + r(.08), dx = r(.06), dy = r(.06)
  return strokes.map(s => s.map(([x, y]) => [.5 + dx + size*(a*(x - .5) + b*(y - .5)), .5 + dy + size*(c*(x - .5) + d*(y - .5))]))
}

if (here) {
  const start = () => document.querySelectorAll('.draw-card:not([data-state])').forEach(el => { el.dataset.state = 'starting'; new Card(el) })
  document.readyState === 'loading' ? document.addEventListener('DOMContentLoaded', start) : start()
}
