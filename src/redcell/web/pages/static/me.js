"use strict";
// What a script adds to the patient's pages: drafts, an outbox that retries, and reading offline.
// Without it every page works; with the server gone the form still shows whom to call.
(() => {
  const OUT = "redcell-outbox", DRAFT = "redcell-draft";
  const read = (name) => { try { return JSON.parse(localStorage.getItem(name)) || null; } catch { return null; } };
  const keep = (name, value) => { try { value === null ? localStorage.removeItem(name) : localStorage.setItem(name, JSON.stringify(value)); } catch { /* private mode: nothing is kept */ } };
  const waiting = document.getElementById("waiting");
  const form = document.getElementById("report");

  const plain = (f) => [...new FormData(f)].filter(([name]) => name !== "csrf" && name !== "key");
  const show = () => { if (waiting) waiting.hidden = !(read(OUT) || []).length; };

  // A report goes out with a fresh token; it is sent when its own page comes back, not a sign-in page.
  const send = async (entry) => {
    const page = await fetch("/me/report", { headers: { Accept: "text/html" } });
    if (!page.ok || !new URL(page.url).pathname.startsWith("/me/report")) return null;
    const fresh = new DOMParser().parseFromString(await page.text(), "text/html").getElementById("report");
    if (!fresh) return null;
    const body = new URLSearchParams(entry.fields);
    body.set("csrf", new FormData(fresh).get("csrf"));
    body.set("key", entry.key);
    const answer = await fetch("/me/report", { method: "POST", body });
    const path = new URL(answer.url).pathname;
    return answer.ok && path.startsWith("/me/report/") ? answer.url : null;
  };

  let busy = false;
  const empty = async () => {
    if (busy) return;
    busy = true;
    try {
      for (const entry of read(OUT) || []) {
        if (await send(entry)) keep(OUT, (read(OUT) || []).filter((other) => other.key !== entry.key));
      }
    } catch { /* no network: it stays */ }
    busy = false;
    show();
  };

  if (form) {
    const draft = read(DRAFT);
    if (draft && !form.querySelector(":checked")) {
      for (const [name, value] of draft) {
        const field = form.elements.namedItem(name);
        if (!field || name === "for_person") continue;
        if (field instanceof RadioNodeList) { for (const one of field) if (one.value === value) one.checked = true; }
        else if (field.type === "radio") field.checked = field.value === value;
        else if (field.type === "checkbox") field.checked = true;
        else field.value = value;
      }
    }
    form.addEventListener("input", () => keep(DRAFT, plain(form)));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const entry = { key: crypto.randomUUID ? crypto.randomUUID() : form.elements.key.value, fields: plain(form) };
      keep(OUT, [...(read(OUT) || []), entry]);
      keep(DRAFT, null);
      let url = null;
      try { url = await send(entry); } catch { /* no network */ }
      if (url) {
        keep(OUT, (read(OUT) || []).filter((other) => other.key !== entry.key));
        location.assign(url);
        return;
      }
      const kept = document.getElementById("kept");
      kept.hidden = false;
      kept.scrollIntoView();
      show();
    });
  }

  show();
  addEventListener("online", empty);
  setInterval(empty, 20000);
  empty();
  // signing out takes what was kept for reading offline off this phone
  for (const out of document.querySelectorAll('form[action$="/sign-out"]')) {
    out.addEventListener("submit", () => { keep(DRAFT, null); if (window.caches) caches.keys().then((names) => names.forEach((name) => caches.delete(name))); });
  }
  if ("serviceWorker" in navigator) navigator.serviceWorker.register("/me/worker.js", { scope: "/me" }).catch(() => {});
})();
