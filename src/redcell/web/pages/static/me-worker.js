"use strict";
// Keeps the patient's last pages for reading without a network. The network always goes first.
const NAME = "redcell-me-1";
const PAGES = ["/me", "/me/report", "/me/call", "/me/counts", "/me/learn", "/me/messages"];
const FILES = "KEPT";

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(NAME).then(async (cache) => {
    await cache.addAll(FILES);
    await Promise.all(PAGES.map((page) => fetch(page).then((answer) => keep(cache, page, answer)).catch(() => {})));
    await self.skipWaiting();
  }));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(caches.keys().then((names) => Promise.all(names.filter((n) => n.startsWith("redcell-") && n !== NAME).map((n) => caches.delete(n)))).then(() => self.clients.claim()));
});

// a redirect to sign-in is no page of the patient's
const keep = (cache, request, answer) => answer.ok && !answer.redirected ? cache.put(request, answer.clone()) : null;

self.addEventListener("fetch", (event) => {
  const request = event.request, url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  if (url.pathname.startsWith("/static/")) {
    event.respondWith(caches.match(request).then((kept) => kept || fetch(request)));
  } else if (url.pathname === "/me" || url.pathname.startsWith("/me/")) {
    event.respondWith((async () => {
      const cache = await caches.open(NAME);
      try {
        const answer = await fetch(request);
        await keep(cache, request, answer);
        return answer;
      } catch (error) {
        const kept = await cache.match(request, { ignoreSearch: true }) || await cache.match("/me/call");
        if (kept) return kept;
        throw error;
      }
    })());
  }
});
