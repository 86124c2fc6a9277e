// Passkeys: asks the server for a question, has the authenticator answer it, sends the answer back.
(() => {
  "use strict";
  if (!window.PublicKeyCredential || !window.isSecureContext) return;
  const bytes = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const post = (where, body) =>
    fetch(where, {
      method: "POST",
      body: body ? JSON.stringify(body) : "",
      headers: {
        "Content-Type": "application/json",
        "X-CSRF-Token": document.querySelector('input[name="csrf"]').value,
      },
    });
  const asked = async (where) => {
    const answer = await post(where);
    if (!answer.ok) throw new Error("no question");
    const found = await answer.json();
    found.challenge = bytes(found.challenge);
    if (found.user) found.user.id = bytes(found.user.id);
    for (const one of [...(found.excludeCredentials || []), ...(found.allowCredentials || [])]) {
      one.id = bytes(one.id);
    }
    return found;
  };
  const plain = (found) => {
    const response = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (found.response[name]) response[name] = text(found.response[name]);
    }
    return {
      id: found.id, rawId: text(found.rawId), type: found.type, response,
      clientExtensionResults: found.getClientExtensionResults(),
    };
  };
  const ready = (place, make) => {
    if (!place) return;
    const failed = place.querySelector("[data-failed]");
    place.hidden = false;
    place.querySelector("button").addEventListener("click", async () => {
      failed.hidden = true;
      try {
        const found = await make(await asked(place.dataset.question));
        const next = encodeURIComponent(place.dataset.next || "");
        const answer = await post(place.dataset.answer + (next ? "?next=" + next : ""), plain(found));
        if (!answer.ok) throw new Error("refused");
        window.location.assign((await answer.json()).next);
      } catch {
        failed.hidden = false;
      }
    });
  };
  ready(document.getElementById("passkey"), (publicKey) => navigator.credentials.get({ publicKey }));
  ready(document.getElementById("add-passkey"), (publicKey) => navigator.credentials.create({ publicKey }));
})();
