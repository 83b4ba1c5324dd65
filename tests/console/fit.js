// What does not fit on the page as it stands; see fit.py.
({ least, foreign, words }) => {
  const found = [];
  const told = (e) => `${e.tagName.toLowerCase()}${e.id ? `#${e.id}` : ""} "${(e.textContent || e.value || "").trim().slice(0, 40)}"`;
  const shown = (e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && !e.closest(".unseen, iframe");
  const wide = document.documentElement.scrollWidth - innerWidth;
  if (wide > 0) {
    const out = [...document.body.querySelectorAll("*")].filter((e) => shown(e) && e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".wide"));
    found.push(`wider than the screen by ${wide} px: ${out.slice(-3).map(told).join(", ")}`);
  }
  const clipped = (e, box) => { // as far as its scrolling parent shows it
    const frame = e.parentElement?.closest(".wide")?.getBoundingClientRect();
    return frame ? { left: Math.max(box.left, frame.left), right: Math.min(box.right, frame.right), top: box.top, bottom: box.bottom } : box;
  };
  const over = (a, b) => Math.min(Math.min(a.right, b.right) - Math.max(a.left, b.left), Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));
  const lies = (name, all, share) => all.forEach(([one, box], index) => {
    for (const [other, second] of all.slice(index + 1)) {
      const most = Math.max(1, share * Math.min(box.bottom - box.top, second.bottom - second.top));
      if (Boolean(one.closest("#bar")) !== Boolean(other.closest("#bar"))) continue; // the page is scrolled under it
      if (one.contains(other) || other.contains(one) || over(box, second) <= most) continue;
      found.push(`${name}: ${told(one)} lies over ${told(other)}`);
    }
  });

  // controls: their size, and none over another. A link within a sentence is as high as its line (WCAG 2.5.8).
  const controls = [...document.querySelectorAll("a, button, input:not([type=hidden]), select, textarea, summary")]
    .filter((e) => shown(e) && !e.closest("#stale"))
    .map((e) => (["radio", "checkbox"].includes(e.type) ? e.closest("label") ?? e : e))
    .map((e) => [e, e.getBoundingClientRect()]);
  const inline = (e) => e.tagName === "A" && getComputedStyle(e).display === "inline" && e.parentElement.textContent.trim() !== e.textContent.trim();
  for (const [e, box] of controls) {
    if (!inline(e) && (box.width < least - 0.5 || box.height < least - 0.5)) found.push(`${told(e)} is ${Math.round(box.width)} x ${Math.round(box.height)}`);
  }
  const apart = (e) => !e.closest(".sticky"); // which lies over the page's end on purpose
  lies("control", controls.filter(([e]) => apart(e)).map(([e, box]) => [e, clipped(e, box)]), 0);

  // words: none cut, none over others, none of another language
  const texts = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    const text = walk.currentNode.textContent.trim();
    if (!text || !shown(e) || e.closest("script, style, noscript")) continue;
    const range = document.createRange();
    range.selectNodeContents(walk.currentNode);
    const box = range.getBoundingClientRect();
    if (box.width) texts.push([e, box, text]);
    for (const word of box.height < 2 * parseFloat(getComputedStyle(e).fontSize) ? [] : walk.currentNode.textContent.matchAll(/[\p{L}\d]{5,}/gu)) {
      range.setStart(walk.currentNode, word.index);
      range.setEnd(walk.currentNode, word.index + word[0].length);
      if (new Set([...range.getClientRects()].map((line) => Math.round(line.top))).size > 1) found.push(`broken: "${word[0]}" in ${told(e)}`);
    }
  }
  for (const [e, box, text] of texts) {
    const block = e.closest("p, li, td, th, dd, dt, h1, h2, button, a, label, div, summary, legend, strong");
    if (!block || e.closest("svg, .wide")) continue;
    const cut = block.clientWidth && block.scrollWidth > block.clientWidth + 1 && getComputedStyle(block).display !== "inline";
    if (cut) found.push(`cut or spilt: ${told(block)} by ${block.scrollWidth - block.clientWidth} px`);
    if (!e.closest(".wide") && (box.right > innerWidth + 1 || box.left < -1)) found.push(`out of the screen: "${text.slice(0, 40)}"`);
  }
  lies("words", texts.filter(([e]) => apart(e) && !e.closest("#stale")).map(([e, box]) => [e, clipped(e, box)]), 0.3); // a line's box is higher than its letters
  const said = [
    ...texts.filter(([e]) => !e.closest("[lang]:not(html), [translate=no], code, pre")).map(([, , text]) => text),
    ...[...document.querySelectorAll("[title], [aria-label], [placeholder]")].filter(shown).flatMap((e) => ["title", "aria-label", "placeholder"].map((name) => e.getAttribute(name) ?? "")),
  ];
  const strange = new RegExp(`(^|[^\\p{L}])(${words.split(" ").join("|")})(?![\\p{L}])`, "iu");
  for (const text of said) {
    if (foreign.includes(text) || strange.test(text)) found.push(`another language: "${text.slice(0, 80)}"`);
  }
  return [...new Set(found)];
}
