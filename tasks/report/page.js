"use strict";
(function () {
  const all = (css, at) => Array.from((at || document).querySelectorAll(css));
  const one = (css) => document.querySelector(css);
  all(".needs-js").forEach((e) => { e.hidden = false; });

  /* large data are packed: hand them out unpacked */
  for (const link of all("a[download$='.gz']")) {
    if (!window.DecompressionStream) continue;
    const name = link.download.slice(0, -3);
    link.textContent = name;
    link.addEventListener("click", async (event) => {
      event.preventDefault();
      const packed = Uint8Array.from(atob(link.href.split(",")[1]), (c) => c.charCodeAt(0));
      const flow = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
      const plain = document.createElement("a");
      plain.href = URL.createObjectURL(await new Response(flow).blob());
      plain.download = name;
      plain.click();
      setTimeout(() => URL.revokeObjectURL(plain.href), 60000);
    });
  }

  /* values and sessions: find, window, only what is not ok */
  const find = one("#find"), phase = one("#phase"), notok = one("#notok"), count = one("#count");
  const rows = all("tr.value");
  const groups = all("details.group").filter((g) => g.querySelector("tr.value"));
  const closed = new Set(all("details.group:not([open])"));
  const keys = new Map(rows.map((row) => {
    const group = row.closest("details.group");
    const parts = Array.from(row.cells, (cell) => (cell.querySelector(".about > summary") || cell).textContent);
    return [row, [group ? group.querySelector("h3").textContent : "", ...parts].join(" ").toLowerCase()];
  }));
  function choose() {
    const words = find.value.toLowerCase().split(/[\s_]+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const fits = (!phase || !phase.value || row.dataset.phase === phase.value) &&
        !(notok.checked && row.dataset.status === "ok") && words.every((w) => keys.get(row).includes(w));
      row.hidden = !fits;
      shown += fits;
    }
    for (const body of all("table.values tbody")) body.hidden = !body.querySelector("tr.value:not([hidden])");
    for (const group of groups) {
      const any = group.querySelector("tr.value:not([hidden])");
      group.hidden = !any;
      group.open = any && (words.length > 0 || !closed.has(group));
    }
    count.textContent = shown + " of " + rows.length + " shown";
    const none = one("#none");
    if (none) none.hidden = shown > 0;
  }
  if (find) {
    one("#tools").addEventListener("submit", (e) => e.preventDefault());
    [find, phase, notok].forEach((e) => { if (e) e.addEventListener("input", choose); });
    choose();
  }

  /* time lines: cursor, zoom */
  const lanes = one("#lanes");
  if (!lanes) return;
  const start = +lanes.dataset.start, length = +lanes.dataset.length, step = +lanes.dataset.step;
  const axis = one("#axis"), now = one("#now"), whole = one("#whole"), zoomed = one("#zoomed");
  const drawings = all("svg.draw", lanes), names = all(".phase-name", lanes);
  const readers = all(".lane.series", lanes).map((lane) => ({
    out: lane.querySelector("output"),
    data: all("script.data", lane).map((s) => ({ role: s.dataset.role, values: JSON.parse(s.textContent) })),
  }));
  let view = [0, length], at = null, from = null;
  const cursor = document.createElement("div"), brush = document.createElement("div");
  cursor.className = "cursor"; brush.className = "brush";
  cursor.hidden = brush.hidden = true;
  lanes.append(cursor, brush);

  function clock(s, tenths) {
    const sign = s < 0 ? "\u2212" : "", n = Math.round(Math.abs(s) * (tenths ? 10 : 1)), w = tenths ? Math.floor(n / 10) : n;
    const two = (v) => String(v).padStart(2, "0"), h = Math.floor(w / 3600), m = Math.floor(w / 60) % 60;
    return sign + (h ? h + ":" + two(m) : m) + ":" + two(w % 60) + (tenths ? "." + (n % 10) : "");
  }
  function place(x) {
    const box = axis.getBoundingClientRect(), outer = lanes.getBoundingClientRect();
    return box.left - outer.left - lanes.clientLeft + box.width * (x - view[0]) / (view[1] - view[0]);
  }
  function second(event) {
    const box = axis.getBoundingClientRect();
    const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    return view[0] + share * (view[1] - view[0]);
  }
  function show(x) {
    at = x;
    const away = x === null || x < view[0] || x > view[1];
    cursor.hidden = away;
    if (!away) cursor.style.left = place(x) + "px";
    now.textContent = away ? "" : clock(start + x, false);
    const bin = Math.floor((x || 0) / step);
    for (const lane of readers) {
      lane.out.textContent = away ? "" : lane.data.map((d) => {
        const v = d.values[bin];
        return v === null || v === undefined ? "\u2013" : String(v).replace("-", "\u2212");
      }).join(" / ");
    }
  }
  function ticks() {
    const span = view[1] - view[0];
    const size = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800];
    const most = Math.min(Math.max(Math.floor(axis.clientWidth / 95), 3), 9);
    const each = size.find((s) => span / s <= most) || 28800;
    axis.replaceChildren();
    for (let t = Math.ceil((start + view[0]) / each) * each; t <= start + view[1]; t += each) {
      const tick = document.createElement("span"), share = (t - start - view[0]) / span;
      tick.className = share > 0.93 ? "tick last" : "tick";
      tick.style.left = 100 * share + "%";
      tick.textContent = clock(t, each < 1);
      axis.append(tick);
    }
  }
  function zoom(a, b) {
    const least = Math.min(2, length);
    if (b - a < least) { const mid = (a + b) / 2; a = mid - least / 2; b = mid + least / 2; }
    a = Math.max(0, a); b = Math.min(length, b);
    view = [a, b];
    for (const svg of drawings) {
      const height = svg.viewBox.baseVal.height;
      svg.setAttribute("viewBox", a + " 0 " + (b - a) + " " + height);
    }
    for (const name of names) {
      const left = Math.max(+name.dataset.x, a), right = Math.min(+name.dataset.x + +name.dataset.width, b);
      name.style.display = right > left ? "" : "none";
      name.style.left = 100 * (left - a) / (b - a) + "%";
      name.style.width = 100 * (right - left) / (b - a) + "%";
    }
    ticks();
    const is = a > 0 || b < length;
    whole.disabled = !is;
    zoomed.textContent = is ? clock(start + a, true) + " to " + clock(start + b, true) : "";
    show(at);
  }
  lanes.addEventListener("pointermove", (e) => {
    const x = second(e);
    show(x);
    if (from !== null) {
      const l = place(Math.min(from, x)), r = place(Math.max(from, x));
      brush.hidden = r - l < 6;
      brush.style.left = l + "px"; brush.style.width = r - l + "px";
    }
  });
  lanes.addEventListener("pointerdown", (e) => {
    if (e.button === 0 && e.pointerType !== "touch" && e.target.closest(".plot")) from = second(e);
  });
  window.addEventListener("pointerup", (e) => {
    if (from === null) return;
    const x = second(e), a = from;
    from = null; brush.hidden = true;
    if (Math.abs(place(x) - place(a)) >= 6) zoom(Math.min(a, x), Math.max(a, x));
  });
  lanes.addEventListener("pointerleave", () => { if (from === null) show(null); });
  lanes.addEventListener("dblclick", () => zoom(0, length));
  lanes.addEventListener("keydown", (e) => {
    if (e.key === "Escape") { zoom(0, length); return; }
    const nearer = { "+": 0.5, "=": 0.5, "-": 2 }[e.key];
    if (nearer) {
      e.preventDefault();
      const mid = at === null || at < view[0] || at > view[1] ? (view[0] + view[1]) / 2 : at;
      const span = Math.min((view[1] - view[0]) * nearer, length);
      const first = Math.min(Math.max(mid - span / 2, 0), length - span);
      zoom(first, first + span);
      return;
    }
    const way = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
    if (!way) return;
    e.preventDefault();
    const x = at === null ? view[0] : at + way * Math.max(step, (view[1] - view[0]) / 200);
    show(Math.min(Math.max(x, view[0]), view[1]));
  });
  whole.addEventListener("click", () => zoom(0, length));
  for (const span of all("a.span")) {
    const [a, b] = span.dataset.span.split(" ").map(Number);
    span.title = "Show in the time lines";
    span.addEventListener("click", (e) => {
      const block = document.getElementById(span.getAttribute("href").slice(1));
      e.preventDefault();
      zoom(a - start, b - start);
      all(".block.meant").forEach((other) => other.classList.remove("meant"));
      if (block !== lanes) block.classList.add("meant");
      lanes.focus({ preventScroll: true });
      block.scrollIntoView({ block: "start" });
    });
  }
  window.addEventListener("resize", () => { ticks(); show(at); });
  ticks();
})();
