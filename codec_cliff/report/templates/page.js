"use strict";
const root = document.documentElement;
root.classList.add("js");

// Theme: the system's, or the reader's choice, kept where the browser allows it.
const themes = ["system", "light", "dark"];
const themeButton = document.getElementById("theme");
function setTheme(theme) {
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
  themeButton.querySelector(".label").textContent = theme;
  themeButton.setAttribute("aria-label", `Colours: ${theme === "system" ? "as the system has them" : theme}`);
  try { localStorage.setItem("codec-cliff-theme", theme); } catch { /* a page from disk may not keep anything */ }
}
function keptTheme() {
  try { return localStorage.getItem("codec-cliff-theme"); } catch { return null; }
}
setTheme(themes.includes(keptTheme()) ? keptTheme() : "system");
themeButton.addEventListener("click", () => setTheme(themes[(themes.indexOf(root.dataset.theme ?? "system") + 1) % themes.length]));

// Tables: a click on a heading sorts by it; numbers before words, dashes last.
function sortKey(row, column) {
  const text = row.cells[column].textContent.trim();
  const number = parseFloat((row.cells[column].querySelector("span") ?? row.cells[column]).textContent.replace("−", "-"));
  return { text, number };
}
function compare(a, b) {
  if (isNaN(a.number) !== isNaN(b.number)) return isNaN(a.number) ? 1 : -1;
  return isNaN(a.number) ? a.text.localeCompare(b.text) : a.number - b.number;
}
function sortBy(heading) {
  const table = heading.closest("table"), column = heading.cellIndex, body = table.tBodies[0];
  const direction = heading.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", direction);
  const keyed = [...body.rows].map((row) => [sortKey(row, column), row]);
  const missing = (key) => isNaN(key.number) && key.text.startsWith("–");
  keyed.sort(([a], [b]) => missing(a) - missing(b) || (direction === "ascending" ? compare(a, b) : compare(b, a)));
  body.append(...keyed.map(([, row]) => row));
}
for (const heading of document.querySelectorAll("table.sortable thead th")) {
  heading.querySelector("button").addEventListener("click", () => sortBy(heading));
}

// Listening: clips are decoded once; switching starts the other clip at the same position, with a fade of 8 ms against clicks.
const FADE = 0.008;
let sound = null, active = null;
const context = () => (sound ??= new AudioContext());

class Player {
  constructor(article) {
    this.article = article;
    this.seconds = parseFloat(article.dataset.seconds);
    this.clips = new Map([...article.querySelectorAll(".clip")].map((clip) => [clip.dataset.codec, clip]));
    this.buffers = new Map();
    this.offset = 0;
    this.source = null;
    this.codec = this.original = this.before = this.clips.keys().next().value;
    this.play = article.querySelector(".play");
    this.seek = article.querySelector(".seek");
    this.time = article.querySelector(".time");
    this.now = article.querySelector(".now");
    this.play.addEventListener("click", () => (this.source ? this.pause() : this.start()));
    this.seek.addEventListener("input", () => this.moveTo(parseFloat(this.seek.value)));
    article.querySelector(".ab").addEventListener("click", () => this.toggle());
    article.addEventListener("keydown", (event) => {
      if (event.key.toLowerCase() === "o" && !event.ctrlKey && !event.metaKey && !event.altKey) this.toggle();
    });
    for (const [codec, clip] of this.clips) {
      clip.querySelector(".choose").addEventListener("click", () => this.choose(codec));
      clip.querySelector(".pictures").addEventListener("click", (event) => this.point(codec, event));
    }
    this.show();
  }
  async buffer(codec) {
    if (!this.buffers.has(codec)) {
      const base64 = this.clips.get(codec).querySelector("audio").src.split(",")[1];
      const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      this.buffers.set(codec, context().decodeAudioData(bytes.buffer));
    }
    return this.buffers.get(codec);
  }
  position() {
    return this.source ? Math.min(this.offset + context().currentTime - this.startedAt, this.seconds) : this.offset;
  }
  async start() {
    if (active && active !== this) active.pause();
    active = this;
    await context().resume();
    const buffer = await this.buffer(this.codec);
    if (active !== this) return;
    const at = this.position() >= this.seconds - 0.05 ? 0 : this.position();
    this.silence();
    const source = context().createBufferSource(), gain = context().createGain();
    source.buffer = buffer;
    source.connect(gain).connect(context().destination);
    gain.gain.setValueAtTime(0, context().currentTime);
    gain.gain.linearRampToValueAtTime(1, context().currentTime + FADE);
    source.onended = () => { if (this.source?.node === source) { this.offset = this.seconds; this.source = null; this.show(); } };
    source.start(0, at);
    Object.assign(this, { offset: at, startedAt: context().currentTime, source: { node: source, gain } });
    this.show();
    for (const codec of this.clips.keys()) this.buffer(codec);
    requestAnimationFrame(() => this.tick());
  }
  silence() {
    if (!this.source) return;
    const { node, gain } = this.source;
    gain.gain.cancelScheduledValues(context().currentTime);
    gain.gain.setTargetAtTime(0, context().currentTime, FADE / 3);
    node.stop(context().currentTime + 2 * FADE);
    this.source = null;
  }
  pause() {
    this.offset = this.position();
    this.silence();
    this.show();
  }
  async choose(codec) {
    if (codec !== this.codec) [this.before, this.codec] = [this.codec, codec];
    this.show();
    await this.start().catch((error) => (this.now.textContent = `This browser cannot play the clip: ${error.message}`));
  }
  toggle() {
    const other = this.codec === this.original ? this.before : this.original;
    return this.source ? this.choose(other) : this.select(other);
  }
  select(codec) {
    if (codec !== this.codec) [this.before, this.codec] = [this.codec, codec];
    this.show();
  }
  point(codec, event) {
    const box = event.currentTarget.getBoundingClientRect();
    this.pause();
    this.offset = ((event.clientX - box.left) / box.width) * this.seconds;
    this.choose(codec);
  }
  moveTo(seconds) {
    const playing = this.source !== null;
    this.pause();
    this.offset = seconds;
    if (playing) this.start(); else this.show();
  }
  tick() {
    this.showPosition();
    if (this.source) requestAnimationFrame(() => this.tick());
  }
  showPosition() {
    const at = this.position();
    this.seek.value = at;
    this.seek.setAttribute("aria-valuetext", `${at.toFixed(1)} seconds`);
    this.time.textContent = `${at.toFixed(1)} / ${this.seconds.toFixed(1)} s`;
    this.article.style.setProperty("--at", at / this.seconds);
  }
  show() {
    this.article.dataset.state = this.source ? "playing" : "paused";
    this.article.dataset.codec = this.codec;
    this.play.textContent = this.source ? "❚❚" : "▶";
    this.play.setAttribute("aria-label", this.source ? "Pause" : "Play");
    for (const [codec, clip] of this.clips) {
      clip.classList.toggle("current", codec === this.codec);
      clip.querySelector(".choose").setAttribute("aria-pressed", codec === this.codec);
    }
    this.now.textContent = this.clips.get(this.codec).querySelector(".choose").dataset.name;
    this.showPosition();
  }
}
const players = [...document.querySelectorAll(".player")].map((article) => new Player(article));

// Tables and Figure 1 play their codec's version of the first utterance.
function hear(codec) {
  const player = players[0];
  if (!player?.clips.has(codec)) return;
  if (active === player && player.source && player.codec === codec) { player.pause(); return; }
  if (!player.source) player.offset = 0;
  player.choose(codec);
  document.getElementById("hearing").textContent = `Playing ${player.article.dataset.utterance}: ${player.clips.get(codec).querySelector(".choose").dataset.name}`;
}
for (const button of document.querySelectorAll("button.hear")) button.addEventListener("click", () => hear(button.dataset.codec));

// What is folded is printed too, and opened for a link that leads into it.
addEventListener("beforeprint", () => { for (const details of document.querySelectorAll("details")) details.open = true; });
function unfold() { document.querySelector(location.hash || null)?.querySelector("details")?.setAttribute("open", ""); }
addEventListener("hashchange", unfold);
if (location.hash) unfold();

// Charts: text, lines and points follow the style sheet's colours, so themes and print need no redrawing.
const config = {
  background: "transparent",
  font: "system-ui, 'DejaVu Sans', sans-serif",
  view: { stroke: null },
  axis: { labelColor: "var(--ink)", titleColor: "var(--ink)", domainColor: "var(--grey)", tickColor: "var(--grey)", gridColor: "var(--line)", labelFontSize: 11, titleFontSize: 12, titleFontWeight: 500 },
  legend: { labelColor: "var(--ink)", titleColor: "var(--ink)", orient: "top", labelFontSize: 11, titleFontSize: 11, labelLimit: 260, symbolOpacity: 1, layout: { top: { direction: "vertical", anchor: "start" } } },
  point: { opacity: 1 },
  title: { color: "var(--ink)", fontSize: 12, anchor: "start", fontWeight: 500 },
};
async function draw(script) {
  const element = document.getElementById(script.dataset.for);
  const columns = Math.max(1, Math.floor(element.clientWidth / 150));
  const fitted = { ...config, legend: { ...config.legend, columns } };
  const { view } = await vegaEmbed(element, JSON.parse(script.textContent), { actions: false, renderer: "svg", config: fitted });
  view.addEventListener("click", (_, item) => { if (item?.datum?.codec) hear(item.datum.codec); });
  for (const mark of element.querySelectorAll(".mark-symbol.role-mark path")) {
    const codec = mark.__data__?.datum?.codec;
    if (!codec || !players[0]?.clips.has(codec)) continue;
    mark.setAttribute("tabindex", "0");
    mark.addEventListener("keydown", (event) => { if (event.key === "Enter") hear(codec); });
  }
  element.dataset.drawn = "true";
}
for (const script of document.querySelectorAll("script.spec")) draw(script).catch((error) => console.error(script.dataset.for, error));
