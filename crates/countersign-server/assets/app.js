// Passkeys need a script; everything else on these pages works without one. Nothing here talks to the server: it fills in the form's fields, and the form is sent.
"use strict";

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const known = (ids) => (ids || "").split(" ").filter(Boolean).map((id) => ({ type: "public-key", id: bytes(id) }));

const get = ({ challenge, rp, allow }) => navigator.credentials.get({
  publicKey: { challenge: bytes(challenge), rpId: rp, allowCredentials: known(allow), userVerification: "required", timeout: 120000 },
});

const create = ({ challenge, rp, user, name, exclude, resident }) => navigator.credentials.create({
  publicKey: {
    challenge: bytes(challenge),
    rp: { id: rp, name: "Countersign" },
    user: { id: new TextEncoder().encode(user), name, displayName: name },
    pubKeyCredParams: [{ type: "public-key", alg: -8 }, { type: "public-key", alg: -7 }],
    authenticatorSelection: { residentKey: resident || "required", userVerification: "required" },
    excludeCredentials: known(exclude),
    attestation: "none",
    timeout: 120000,
  },
});

const why = (error) => ({
  NotAllowedError: "Nothing was confirmed: the request was closed, or it took too long. Try again when you are ready.",
  InvalidStateError: "This authenticator holds a passkey of yours for this page already.",
  SecurityError: "This page may not ask for passkeys of this name. Look at the address.",
}[error.name] || `The browser could not do that: ${error.message}`);

for (const form of document.querySelectorAll("form[data-ceremony]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button[type=submit], button:not([type])");
    const alert = form.querySelector("[role=alert]");
    button.disabled = true;
    alert.textContent = "";
    try {
      const asked = form.dataset.ceremony === "create" ? create : get;
      const { rawId, response } = await asked(form.dataset);
      const made = {
        credential_id: rawId, attestation_object: response.attestationObject, client_data_json: response.clientDataJSON,
        authenticator_data: response.authenticatorData, signature: response.signature, user_handle: response.userHandle,
      };
      for (const [name, value] of Object.entries(made)) {
        if (form.elements[name] && value) form.elements[name].value = text(value);
      }
      form.submit();
    } catch (error) {
      alert.textContent = why(error);
      button.disabled = false;
      button.focus();
    }
  });
}

// A one-time link carries its claim behind the `#`, which browsers send to nobody. It is taken out of the address at once.
const claim = document.querySelector("input[data-from-fragment]");
if (claim && location.hash.length > 1) {
  claim.value = decodeURIComponent(location.hash.slice(1));
  history.replaceState(null, "", location.pathname);
}
