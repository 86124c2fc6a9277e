// The worklist with a script: fresh without reload, and single keys. Nothing depends on it.
"use strict";
(() => {
  const KEYS = "redcell-single-keys", IDLE = 12 * 60 * 1000, APART = 2000;
  const board = () => document.getElementById("board");
  const lines = () => [...document.querySelectorAll(".line")];
  const news = document.getElementById("news");
  const live = document.getElementById("live");
  const help = document.getElementById("help");
  const opener = document.getElementById("keys");
  const keysOn = document.getElementById("keys-on");
  let person = "", stale = false, acted = Date.now(), source = null, shown = 0, later = 0;

  // -- fresh within seconds -----------------------------------------------------------------------
  const busy = () => {
    const at = document.activeElement;
    const typing = at && board().contains(at) && at.matches("input,select,textarea");
    return typing || [...document.querySelectorAll(".panel")].some((p) => p.childElementCount);
  };
  const say = (text) => { live.textContent = text; live.hidden = !text; };
  const soon = () => {
    later = 0;
    if (busy()) { stale = true; say("The list has changed. It is shown anew when you are done."); }
    else refresh();
  };
  const refresh = () => {
    const wait = shown + APART - Date.now();
    if (wait > 0) {
      if (!later) later = window.setTimeout(soon, wait);
      return undefined;
    }
    shown = Date.now();
    const at = board(), url = at.dataset.url + "&since=" + at.dataset.event;
    return window.htmx.ajax("GET", url, { target: "#board", swap: "outerHTML" });
  };
  const listen = () => {
    if (source || !window.EventSource) return;
    source = new EventSource("/today/events");
    source.addEventListener("mark", (event) => {
      if (event.data === board().dataset.mark) return;
      soon();
    });
  };
  const pause = () => {
    if (!source || Date.now() - acted < IDLE) return;
    source.close();
    source = null;
    say("Updates are paused. Press any key to go on.");
  };
  const alive = () => {
    acted = Date.now();
    if (!source) { say(""); listen(); refresh(); }
  };
  window.setInterval(pause, 60 * 1000);
  for (const kind of ["keydown", "pointerdown"]) document.addEventListener(kind, alive, { passive: true });

  document.body.addEventListener("htmx:afterSettle", (event) => {
    const at = board();
    if (event.target === at || event.target.id === "board") {
      if (at.dataset.news) news.textContent = at.dataset.news;
      stale = false;
      say("");
      if (person) focusOn(document.getElementById("line-" + person) || lines()[0]);
    } else if (event.target.classList.contains("panel")) {
      const first = event.target.querySelector("[role=alert], input[type=radio]");
      if (first) { if (first.role === "alert") first.tabIndex = -1; first.focus(); }
    }
  });
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    const path = event.detail.requestConfig && event.detail.requestConfig.path;
    if (path && path.includes("&since=") && busy()) {
      event.detail.shouldSwap = false;
      stale = true;
    }
  });
  document.body.addEventListener("htmx:beforeRequest", (event) => {
    const at = event.target.closest && event.target.closest(".line");
    person = at && at.contains(document.activeElement) ? at.dataset.person : "";
  });

  // -- single keys, which can be turned off ---------------------------------------------------------
  const focusOn = (line) => {
    const link = line && line.querySelector("h2 a");
    if (link) { link.focus({ preventScroll: false }); line.scrollIntoView({ block: "nearest" }); }
  };
  const here = () => document.activeElement && document.activeElement.closest(".line");
  const move = (by) => {
    const all = lines(), at = all.indexOf(here());
    focusOn(all[Math.min(Math.max(at + by, 0), all.length - 1)]);
  };
  const press = (act) => {
    const at = here();
    const button = at && at.querySelector(`[data-act=${act}] button, a[data-act=${act}]`);
    if (button) button.click();
    return Boolean(button);
  };
  const close = () => {
    const at = here(), panel = at && at.querySelector(".panel");
    if (!panel || !panel.childElementCount) return false;
    panel.replaceChildren();
    focusOn(at);
    if (stale) refresh();
    return true;
  };
  const acts = {
    j: () => move(1),
    k: () => move(-1),
    t: () => press("claim"),
    z: () => press("more"),
    d: () => press("more"),
    "?": () => { help.showModal(); },
    "/": () => { document.getElementById("q").focus(); },
  };
  const off = () => window.localStorage.getItem(KEYS) === "off";
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && close()) return;
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || off()) return;
    if (event.target.closest("input,select,textarea,dialog,[contenteditable]")) return;
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  opener.hidden = false;
  opener.addEventListener("click", () => help.showModal());
  keysOn.checked = !off();
  keysOn.addEventListener("change", () => window.localStorage.setItem(KEYS, keysOn.checked ? "on" : "off"));
  listen();
})();
