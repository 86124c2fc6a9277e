// Draws the interactive chart over the picture that the server made. Without it the picture stays.
"use strict";
(() => {
  const block = document.getElementById("course-spec");
  const place = document.getElementById("course-vega");
  const still = document.getElementById("course-still");
  if (!block || !place || !window.vegaEmbed) return;
  const text = block.textContent, LEAST = 620, SIDES = 150 + 128;
  const tip = document.getElementById("course-tip");
  let width = 0, view = null;

  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const filled = (wide) => JSON.parse(text, (_, value) => {
    if (value === "$width") return wide;
    return typeof value === "string" ? value.replace(/var\((--[\w-]+)\)/g, (all, n) => color(n) || all) : value;
  });
  const show = (_handler, event, _item, value) => {
    const said = value && (typeof value === "string" ? value : value.tip || Object.values(value)[0]);
    tip.hidden = !said;
    if (!said) return;
    tip.textContent = said;
    const box = place.getBoundingClientRect();
    const left = Math.min(event.clientX - box.left + 14, box.width - tip.offsetWidth - 4);
    tip.style.setProperty("left", `${Math.max(0, left)}px`);
    tip.style.setProperty("top", `${event.clientY - box.top + 18}px`);
  };
  const draw = async () => {
    const wide = place.parentElement.clientWidth;
    if (wide < LEAST) { place.hidden = true; still.hidden = false; return; }
    if (wide === width) return;
    width = wide;
    const options = {
      mode: "vega-lite", renderer: "svg", actions: false, ast: true, defaultStyle: false,
      tooltip: show, loader: { target: "_self" }, logLevel: 0,
    };
    try {
      if (view) view.finalize();
      place.hidden = false;
      view = (await window.vegaEmbed(place, filled(wide - SIDES), options)).view;
      for (const part of place.querySelectorAll("[role], [aria-roledescription]")) {
        part.removeAttribute("role"); // the whole is one picture; its table has the marks
        part.removeAttribute("aria-roledescription");
      }
      still.hidden = true;
      place.dataset.drawn = "yes";
    } catch (error) {
      place.hidden = true;
      still.hidden = false;
      place.dataset.drawn = "no";
    }
  };
  const again = () => { width = 0; draw(); };
  let waiting = 0;
  window.addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(draw, 120); });
  for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
    window.matchMedia(query).addEventListener("change", again);
  }
  draw();
})();
